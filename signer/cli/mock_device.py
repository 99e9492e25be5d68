"""`airlock-signer mock-device`: a hardware wallet that is none, to rehearse with. On the loopback only."""

from signer.cli import mock_ledger, mock_trezor
from signer.cli.command import Subparsers

DEVICES = (mock_ledger, mock_trezor)


def add_to(subparsers: Subparsers) -> None:
    """Add the command with one subcommand for each kind of device."""
    parser = subparsers.add_parser("mock-device", help="run a double of a hardware wallet, public keys only")
    kinds = parser.add_subparsers(required=True, metavar="KIND")
    for device in DEVICES:
        device.add_to(kinds)
