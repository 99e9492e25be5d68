"""`airlock-signer vault …`: what a person does to Vault. Prints no secret."""

from signer.cli.command import Subparsers
from signer.cli.vault import bootstrap, create_account, import_account

COMMANDS = (bootstrap, create_account, import_account)


def add_to(subparsers: Subparsers) -> None:
    """Add the group."""
    parser = subparsers.add_parser("vault", help="set Vault up, check it, make accounts in it")
    group = parser.add_subparsers(required=True, metavar="COMMAND")
    for command in COMMANDS:
        command.add_to(group)
