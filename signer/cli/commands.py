"""The list of commands, and the one place where their errors become exit codes."""

import argparse
import gc
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import Protocol, cast

from signer.api.refused import RefusedError
from signer.cli.command import Command, Subparsers
from signer.cli.exit_codes import MEANING, ExitCode
from signer.domain.errors import PreconditionError, RejectedError, SignerError, UnavailableError

COMMANDS = {
    "run": "run_signer",
    "dev-pki": "dev_pki",
    "mock": "mock",
    "mock-device": "mock_device",
    "devices": "devices",
    "accounts": "accounts",
    "policy": "policy",
    "audit": "audit",
    "doctor": "doctor",
    "pause": "admin",
    "resume": "admin",
    "reload-policy": "admin",
    "reconcile-nonces": "admin",
    "console": "console",
    "rotate": "rotate",
    "vault": "vault",
}
"""Which module of `signer.cli` adds each command: a command loads what it needs, and starts twice as fast."""


class _Adds(Protocol):
    def add_to(self, subparsers: Subparsers, /) -> None: ...


def run(arguments: Sequence[str]) -> int:
    """Run the command that the arguments name; returns its exit code."""
    chosen = parser(arguments).parse_args(arguments)
    # The program's beginning has kept it from looking for garbage among what it loaded, and so does its end.
    gc.freeze()
    gc.enable()
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


def parser(arguments: Sequence[str] = ()) -> argparse.ArgumentParser:
    """The command line: of the command that the arguments name, else of all."""
    codes = "\n".join(f"  {code.value}  {meaning}" for code, meaning in MEANING.items())
    top = argparse.ArgumentParser(
        prog="airlock-signer",
        description="Decodes, limits, records and signs. Broadcasts nothing but the drain of a rotation.",
        epilog=f"exit codes:\n{codes}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    subparsers = top.add_subparsers(required=True, metavar="COMMAND")
    for module in _modules(arguments):
        module.add_to(subparsers)
    return top


def _modules(arguments: Sequence[str]) -> Sequence[_Adds]:
    named = COMMANDS.get(arguments[0]) if arguments else None
    wanted = dict.fromkeys(COMMANDS.values()) if named is None else (named,)
    return [cast("_Adds", import_module(f"signer.cli.{name}")) for name in wanted]


def _complain(error: SignerError, code: ExitCode) -> ExitCode:
    print(f"airlock-signer: {error}", file=sys.stderr)
    return code
