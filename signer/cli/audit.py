"""`airlock-signer audit …`: judges an audit file. Changes none."""

from signer.cli import audit_public_key, audit_verify
from signer.cli.command import Subparsers


def add_to(subparsers: Subparsers) -> None:
    """Add the group."""
    parser = subparsers.add_parser("audit", help="judge an audit file")
    actions = parser.add_subparsers(required=True, metavar="ACTION")
    audit_verify.add_to(actions)
    audit_public_key.add_to(actions)
