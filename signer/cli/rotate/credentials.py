"""`airlock-signer rotate credentials`: a new secret id for a running program, which takes it by itself."""

import asyncio
import json
from pathlib import Path

from signer.adapters.vault.secret_ids import deliver_secret_id
from signer.cli.command import Arguments, Subparsers
from signer.cli.exit_codes import ExitCode
from signer.cli.vault_access import add_access, person_vault

_LOOK_EVERY_S = 0.25


def add_to(subparsers: Subparsers) -> None:
    """Add the command."""
    parser = subparsers.add_parser(
        "credentials",
        help="deliver a new wrapped secret id; the program logs in anew without missing a signature",
        description="Asks Vault for a response-wrapped secret id and puts it where the program looks for it. "
        "The running program opens it, logs in, swaps its token and revokes the old one. Run it before the "
        "token's longest life ends (`rotate schedule` says when), and before each start.",
    )
    add_access(parser)
    parser.add_argument("--role", default="airlock-signer", help="AppRole; default airlock-signer")
    parser.add_argument("--mount", default="approle", help="mount of the AppRole engine; default approle")
    parser.add_argument(
        "--to", required=True, metavar="FILE", type=Path, help="secret_id_file of the program's settings"
    )
    parser.add_argument("--ttl", type=int, default=300, metavar="S", help="life of the wrapping; default 300")
    parser.add_argument(
        "--wait", type=int, default=0, metavar="S", help="wait so long for the program to take it"
    )
    parser.add_argument("--json", action="store_true", help="one JSON object instead of text")
    parser.set_defaults(command=_run)


def _run(arguments: Arguments) -> int:
    return asyncio.run(_deliver(arguments))


async def _deliver(arguments: Arguments) -> ExitCode:
    to: Path = arguments.to
    role: str = arguments.role
    wait_s: int = arguments.wait
    as_json: bool = arguments.json
    async with person_vault(arguments) as (vault, _place):
        await deliver_secret_id(vault, mount=arguments.mount, role=role, to=to, ttl_s=arguments.ttl)
    taken = wait_s > 0 and await _taken(to, wait_s)
    if as_json:
        print(json.dumps({"role": role, "file": str(to), "taken": taken}))
    else:
        print(f"role {role}: a wrapped secret id is in {to}")
        if wait_s > 0:
            print("the program took it" if taken else f"the program did not take it within {wait_s} s")
    return ExitCode.OK if taken or wait_s == 0 else ExitCode.FINDINGS


async def _taken(file: Path, wait_s: int) -> bool:
    """A program deletes the file when it has logged in."""
    try:
        async with asyncio.timeout(wait_s):
            while await asyncio.to_thread(file.exists):  # noqa: ASYNC110 - another process deletes it
                await asyncio.sleep(_LOOK_EVERY_S)
    except TimeoutError:
        return False
    return True
