"""`airlock-signer rotate …`: everything that can be rotated, one file each."""

from signer.cli.command import Subparsers
from signer.cli.rotate import account, certificates, credentials, schedule, wrapping_key


def add_to(subparsers: Subparsers) -> None:
    """Add the command with one subcommand for each thing that rotates."""
    parser = subparsers.add_parser("rotate", help="replace what must not live for ever")
    things = parser.add_subparsers(required=True, metavar="WHAT")
    account.add_to(things)
    wrapping_key.add_to(things)
    schedule.add_to(things)
    certificates.add_to(things)
    credentials.add_to(things)
