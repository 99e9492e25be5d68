"""`airlock-signer vault bootstrap`: shows what differs from the files, mends it if told. Deletes nothing."""

import asyncio
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from signer.adapters.vault.bootstrap.change import Change
from signer.adapters.vault.bootstrap.plan import apply, plan
from signer.adapters.vault.bootstrap.wanted import load
from signer.cli.command import Arguments, Subparsers
from signer.cli.exit_codes import ExitCode
from signer.cli.vault_access import add_access, person_vault

_WORD = "apply"


def add_to(subparsers: Subparsers) -> None:
    """Add the command."""
    parser = subparsers.add_parser(
        "bootstrap",
        help="bring Vault to what a folder of files says; shows a plan first",
        description="Compares a Vault with a folder like vault/ of the project: audit device, engines, "
        "policies, keys, authority, AppRoles. Shows the plan; applies it after a typed confirmation. "
        "What only a person can judge is reported and left alone.",
    )
    add_access(parser)
    parser.add_argument(
        "--folder",
        required=True,
        metavar="DIR",
        type=Path,
        help="your copy of vault/, with airlock.toml",
    )
    how = parser.add_mutually_exclusive_group()
    how.add_argument("--check", action="store_true", help="only compare; exit code 1 when anything differs")
    how.add_argument("--yes", action="store_true", help="apply without asking")
    parser.add_argument("--json", action="store_true", help="one JSON object instead of text; asks nothing")
    parser.set_defaults(command=_run)


def _run(arguments: Arguments) -> int:
    return asyncio.run(_bootstrap(arguments))


async def _bootstrap(arguments: Arguments) -> ExitCode:
    folder: Path = arguments.folder
    as_json: bool = arguments.json
    wanted = load(folder)
    async with person_vault(arguments) as (vault, _place):
        planned = await plan(vault, wanted)
        if not as_json:
            _show(planned)
        applied = False
        if any(change.requests for change in planned) and _is_confirmed(arguments):
            async for change in apply(vault, planned):
                if not as_json:
                    print(f"done: {change.what}")
            applied = True
        left = await plan(vault, wanted) if applied else planned
    if as_json:
        _print_json(planned, left)
    elif applied:
        print(f"{len(planned) - len(left)} changed, {len(left)} left")
    return ExitCode.FINDINGS if left else ExitCode.OK


def _is_confirmed(arguments: Arguments) -> bool:
    if arguments.check:
        return False
    if arguments.yes:
        return True
    if arguments.json or not sys.stdin.isatty():
        print("nothing was changed: there is no terminal to ask on, and no --yes", file=sys.stderr)
        return False
    return input(f"Type {_WORD} to make these changes: ").strip() == _WORD


def _show(planned: Sequence[Change]) -> None:
    if not planned:
        print("0 changes: Vault is what the files say")
        return
    for change in planned:
        mark = "~" if change.requests else "!"
        print(f"{mark} {change.what}")
        for detail in change.details:
            print(f"    {detail}")
        if change.remedy:
            print(f"    to do: {change.remedy}")
    by_hand = sum(not change.requests for change in planned)
    print(f"{len(planned) - by_hand} changes (~), {by_hand} for a person to judge (!)")


def _print_json(planned: Sequence[Change], left: Sequence[Change]) -> None:
    rows = [
        {
            "what": change.what,
            "details": list(change.details),
            "remedy": change.remedy,
            "changed": change.what not in {each.what for each in left},
        }
        for change in planned
    ]
    print(json.dumps({"fine": not left, "changes": rows}))
