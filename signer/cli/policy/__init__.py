"""`airlock-signer policy …`: judge a policy file, and sign it for the guardian."""

from signer.cli.command import Subparsers
from signer.cli.policy import accept_signature, check, message, sign


def add_to(subparsers: Subparsers) -> None:
    """Add the command with its actions."""
    parser = subparsers.add_parser("policy", help="judge and sign a policy file")
    actions = parser.add_subparsers(required=True, metavar="ACTION")
    check.add_to(actions)
    message.add_to(actions)
    sign.add_to(actions)
    accept_signature.add_to(actions)
