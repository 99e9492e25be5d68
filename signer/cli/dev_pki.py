"""`airlock-signer dev-pki DIR`: certificates for local use. Overwrites nothing."""

from pathlib import Path

from signer.adapters.pki.dev_pki import LOCAL_HOSTS, write_dev_pki
from signer.adapters.system_clock import SystemClock
from signer.cli.command import Arguments, Subparsers
from signer.cli.exit_codes import ExitCode


def add_to(subparsers: Subparsers) -> None:
    """Add the command."""
    parser = subparsers.add_parser(
        "dev-pki", help="make an authority and certificates for signer, trader and admin, for local use"
    )
    parser.add_argument("folder", metavar="DIR", type=Path, help="where to write; made when it is not there")
    parser.add_argument(
        "--host",
        action="append",
        default=[],
        help=f"name or address under which the signer is reached, besides {', '.join(LOCAL_HOSTS)}",
    )
    parser.set_defaults(command=_run)


def _run(arguments: Arguments) -> int:
    folder: Path = arguments.folder
    extra: list[str] = arguments.host
    for path in write_dev_pki(folder, now=SystemClock().now(), hosts=(*LOCAL_HOSTS, *extra)):
        print(path)
    return ExitCode.OK
