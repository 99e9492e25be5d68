"""The list of commands, and the one place where their errors become exit codes."""

import argparse
import sys
from collections.abc import Sequence

from signer.api.admin_client import RefusedError
from signer.cli import (
    accounts,
    admin,
    audit,
    console,
    dev_pki,
    devices,
    doctor,
    mock,
    mock_device,
    policy,
    rotate,
    run_signer,
    vault,
)
from signer.cli.command import Command
from signer.cli.exit_codes import MEANING, ExitCode
from signer.domain.errors import PreconditionError, RejectedError, SignerError, UnavailableError

COMMANDS = (
    run_signer,
    dev_pki,
    mock,
    mock_device,
    devices,
    accounts,
    policy,
    audit,
    doctor,
    admin,
    console,
    rotate,
    vault,
)


def run(arguments: Sequence[str]) -> int:
    """Run the command that the arguments name; returns its exit code."""
    chosen = parser().parse_args(arguments)
    command: Command = chosen.command
    try:
        return command(chosen)
    except (UnavailableError, PreconditionError) as error:
        return _complain(error, ExitCode.UNREACHABLE)
    except (RefusedError, RejectedError) as error:
        return _complain(error, ExitCode.REFUSED)
    except SignerError as error:
        # What is left can only come from files: settings, certificates, keys, or a ledger that was restored.
        return _complain(error, ExitCode.CONFIGURATION)
    except KeyboardInterrupt:
        return ExitCode.OK


def parser() -> argparse.ArgumentParser:
    """The whole command line."""
    codes = "\n".join(f"  {code.value}  {meaning}" for code, meaning in MEANING.items())
    top = argparse.ArgumentParser(
        prog="airlock-signer",
        description="Decodes, limits, records and signs. Broadcasts nothing but the drain of a rotation.",
        epilog=f"exit codes:\n{codes}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    subparsers = top.add_subparsers(required=True, metavar="COMMAND")
    for command in COMMANDS:
        command.add_to(subparsers)
    return top


def _complain(error: SignerError, code: ExitCode) -> ExitCode:
    print(f"airlock-signer: {error}", file=sys.stderr)
    return code
