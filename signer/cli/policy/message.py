"""`airlock-signer policy message FILE`: the exact text that a guardian signs, and nothing else."""

from pathlib import Path

from signer.cli.command import Arguments, Subparsers
from signer.cli.exit_codes import ExitCode
from signer.cli.policy.read import statement_to_sign


def add_to(actions: Subparsers) -> None:
    """Add the action."""
    parser = actions.add_parser("message", help="print the text that the guardian signs (personal_sign)")
    parser.add_argument("file", metavar="FILE", type=Path)
    parser.set_defaults(command=_run)


def _run(arguments: Arguments) -> int:
    path: Path = arguments.file
    # Without a line end, so that a pipe into another tool signs the same bytes.
    print(statement_to_sign(path).text(), end="")
    return ExitCode.OK
