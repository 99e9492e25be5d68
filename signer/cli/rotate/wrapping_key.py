"""`airlock-signer rotate wrapping-key`: a new version, every envelope moved to it, old versions shut out.

Needs a rotator's token, which opens no envelope. May be interrupted at any point and run again.
"""

import asyncio
import json

from signer.adapters.event_log import JsonEventLog
from signer.adapters.system_clock import SystemClock
from signer.adapters.vault.envelopes import open_store
from signer.adapters.vault.transit import Transit
from signer.adapters.vault.wrapping_key import Rotated, WrappingKeyRotation, WrappingKeyState
from signer.cli.command import Arguments, Subparsers
from signer.cli.exit_codes import ExitCode
from signer.cli.vault_access import add_access, person_vault

_RECENT_S = 3_600


def add_to(subparsers: Subparsers) -> None:
    """Add the command."""
    parser = subparsers.add_parser(
        "wrapping-key",
        help="rotate the key that wraps EVM keys, and move every envelope to it",
        description="Rotates the Transit key, rewraps every envelope inside Vault, then raises the key's "
        "min_decryption_version, so that old ciphertexts open no more. A rotation that was cut off is "
        "finished, not begun anew. Nothing happens when the newest version is younger than an hour.",
    )
    add_access(parser)
    parser.add_argument("--status", action="store_true", help="only look; exit code 1 for a half done one")
    parser.add_argument(
        "--even-if-recent", action="store_true", help="also when the newest version is younger than an hour"
    )
    parser.add_argument("--json", action="store_true", help="one JSON object instead of text")
    parser.set_defaults(command=_run)


def _run(arguments: Arguments) -> int:
    return asyncio.run(_rotate(arguments))


async def _rotate(arguments: Arguments) -> ExitCode:
    only_look: bool = arguments.status
    at_once: bool = arguments.even_if_recent
    as_json: bool = arguments.json
    async with person_vault(arguments) as (vault, place):
        rotation = WrappingKeyRotation(
            transit=Transit(vault, place.transit_mount),
            store=open_store(place.envelopes, vault, kv_mount=place.kv_mount),
            key=place.wrapping_key,
            clock=SystemClock(),
            log=JsonEventLog(),
        )
        done = None if only_look else await rotation.run(min_age_s=0 if at_once else _RECENT_S)
        state = await rotation.state()
    if as_json:
        print(json.dumps(_row(place.wrapping_key, state, done)))
    else:
        print(_text(place.wrapping_key, state, done, only_look=only_look))
    return ExitCode.FINDINGS if state.half_done else ExitCode.OK


def _text(key: str, state: WrappingKeyState, done: Rotated | None, *, only_look: bool) -> str:
    opens = f"versions from {state.oldest_allowed} on open"
    lines = [f"{key}: version {state.newest}, {state.envelopes} envelopes, {opens}"]
    if done is not None:
        begun = "rotated" if done.begun else "finished the rotation that was begun before"
        lines.append(f"{begun}; {done.moved} envelopes moved")
    elif not only_look:
        lines.append("nothing to do: the newest version is younger than an hour (--even-if-recent)")
    if state.half_done:
        lines.append(f"half done, {len(state.behind)} envelopes behind: run `rotate wrapping-key` again")
    lines += [f"left alone, of another wrapping key: {account}" for account in state.foreign]
    return "\n".join(lines)


def _row(key: str, state: WrappingKeyState, done: Rotated | None) -> dict[str, object]:
    return {
        "wrapping_key": key,
        "rotated": done is not None and done.begun,
        "continued": done is not None and not done.begun,
        "moved": 0 if done is None else done.moved,
        "version": state.newest,
        "oldest_allowed": state.oldest_allowed,
        "envelopes": state.envelopes,
        "behind": list(state.behind),
        "foreign": list(state.foreign),
    }
