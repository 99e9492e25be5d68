"""`airlock-signer accounts …`: accounts of the settings. Holds and shows no key."""

from signer.cli.accounts import add
from signer.cli.command import Subparsers


def add_to(subparsers: Subparsers) -> None:
    """Add the command with its action."""
    parser = subparsers.add_parser("accounts", help="accounts of signer.toml")
    actions = parser.add_subparsers(required=True, metavar="ACTION")
    add.add_to(actions)
