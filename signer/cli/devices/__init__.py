"""`airlock-signer devices …`: find hardware wallets, and what is on them. Signs nothing."""

from signer.cli.command import Subparsers
from signer.cli.devices import address, identify, listing, pair


def add_to(subparsers: Subparsers) -> None:
    """Add the command with its actions."""
    parser = subparsers.add_parser("devices", help="find hardware wallets, pair them, read addresses")
    actions = parser.add_subparsers(required=True, metavar="ACTION")
    listing.add_to(actions)
    identify.add_to(actions)
    pair.add_to(actions)
    address.add_to(actions)
