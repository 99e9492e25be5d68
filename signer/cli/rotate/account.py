"""`airlock-signer rotate account begin | status | finish | abort`: one account hands over to another."""

import argparse

from signer.api.admin_client import AdminClient, RotationAnswer
from signer.cli.admin import Action, Result, add_operator_command
from signer.cli.command import Arguments, Subparsers


def add_to(subparsers: Subparsers) -> None:
    """Add the four steps."""
    parser = subparsers.add_parser("account", help="move an account to a new key: drain, sweep, retire")
    steps = parser.add_subparsers(required=True, metavar="STEP")
    begin = _add(steps, "begin", "let a new account take over and drain the old one into it", _begin)
    begin.add_argument(
        "--new-account",
        required=True,
        help="CAIP-10 of the account that takes over; its key must be in the old one's backend already "
        "(Vault: `airlock-signer vault create-account --successor-of OLD` makes it, once)",
    )
    begin.add_argument(
        "--emergency", action="store_true", help="the key may have leaked: dearest first, higher fees"
    )
    _add(steps, "status", "what is left, and what it waits for; 0 once the account is retired", _status)
    _add(steps, "finish", "retire the old account for ever, once only dust is left", _finish)
    _add(steps, "abort", "turn round: the old account goes on, the new one drains into it", _abort)


def _add(subparsers: Subparsers, name: str, what: str, action: Action) -> argparse.ArgumentParser:
    parser = add_operator_command(subparsers, name, what, action)
    parser.add_argument("--account", required=True, help="CAIP-10 of the account that is replaced")
    return parser


async def _begin(client: AdminClient, arguments: Arguments) -> Result:
    new_account: str = arguments.new_account
    emergency: bool = arguments.emergency
    answer = await client.rotate_account(
        "begin", arguments.account, new_account=new_account, emergency=emergency
    )
    return _result(answer)


async def _status(client: AdminClient, arguments: Arguments) -> Result:
    answer = await client.rotate_account("status", arguments.account)
    # Under way is a finding, so that a script can wait for exit code 0.
    return _result(answer) | {"findings": [] if answer.finished else ["not retired yet"]}


async def _finish(client: AdminClient, arguments: Arguments) -> Result:
    return _result(await client.rotate_account("finish", arguments.account))


async def _abort(client: AdminClient, arguments: Arguments) -> Result:
    return _result(await client.rotate_account("abort", arguments.account))


def _result(answer: RotationAnswer) -> Result:
    return {
        "new_account": answer.new_account,
        "progress": list(answer.progress),
        "swept": answer.swept,
        "finished": answer.finished,
    }
