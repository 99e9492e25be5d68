"""`airlock-signer policy message FILE`: exactly what a guardian signs, and nothing else."""

from pathlib import Path

from signer.cli.command import Arguments, Subparsers
from signer.cli.exit_codes import ExitCode
from signer.cli.policy.read import read_guardian, statement_to_sign
from signer.decode.solana.offchain_message import offchain_message
from signer.domain.errors import ConfigurationError
from signer.domain.guardian import solana_key_of


def add_to(actions: Subparsers) -> None:
    """Add the action."""
    parser = actions.add_parser("message", help="print what the guardian signs: a text, for personal_sign")
    parser.add_argument("file", metavar="FILE", type=Path)
    parser.add_argument(
        "--guardian",
        metavar="solana:…",
        help="who signs it; a Solana key signs an off-chain message, which is printed in hex",
    )
    parser.set_defaults(command=_run)


def _run(arguments: Arguments) -> int:
    path: Path = arguments.file
    guardian = read_guardian(arguments.guardian)
    text = statement_to_sign(path).text()
    key = None if guardian is None else solana_key_of(guardian)
    # Without a line end, so that a pipe into another tool signs the same bytes.
    if key is None:
        print(text, end="")
        return ExitCode.OK
    try:
        print(offchain_message(text, key).hex(), end="")
    except ValueError as error:
        raise ConfigurationError(f"{path}: {error}") from None
    return ExitCode.OK
