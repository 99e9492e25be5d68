"""`airlock-signer run`: the signer itself, until SIGTERM or SIGINT."""

from pathlib import Path

from signer import app
from signer.cli.command import Arguments, Subparsers
from signer.cli.exit_codes import ExitCode
from signer.settings import load


def add_to(subparsers: Subparsers) -> None:
    """Add the command."""
    parser = subparsers.add_parser("run", help="run the signer")
    parser.add_argument("--config", required=True, metavar="FILE", type=Path, help="signer.toml")
    parser.add_argument(
        "--accept-restored-ledger",
        action="store_true",
        help="start once on a ledger from a backup, after every other copy was stopped",
    )
    parser.add_argument(
        "--accept-other-guardian",
        action="store_true",
        help="start once although signer.toml names another guardian than the ledger remembers, or none",
    )
    parser.set_defaults(command=_run)


def _run(arguments: Arguments) -> int:
    path: Path = arguments.config
    accept: bool = arguments.accept_restored_ledger
    other: bool = arguments.accept_other_guardian
    app.run(load(path), accept_restored_ledger=accept, accept_other_guardian=other)
    return ExitCode.OK
