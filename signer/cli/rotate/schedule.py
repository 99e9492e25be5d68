"""`airlock-signer rotate schedule`: what is due, when, and which command does it. Rotates nothing."""

import asyncio
import json
from collections.abc import Sequence
from contextlib import AsyncExitStack
from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from signer.adapters.metrics.page_reader import RunningSignerAges
from signer.adapters.system_clock import SystemClock
from signer.cli.command import Arguments, Subparsers
from signer.cli.exit_codes import ExitCode
from signer.cli.vault_access import person_vault
from signer.domain.rotating import Fact, Rotating
from signer.domain.time import UnixMs
from signer.ports.rotation_facts import FactSource
from signer.service.rotation_schedule import DAY_S, Entry, Urgency, schedule
from signer.settings import Settings, load
from signer.what_rotates import host_and_keys, limits_of

_LOGIN = frozenset({Rotating.VAULT_TOKEN, Rotating.VAULT_CREDENTIAL})
_KEYS = frozenset({Rotating.WRAPPING_KEY, Rotating.CHECKPOINT_KEY, Rotating.ACCOUNT})
_HOUR_S = 3_600


def add_to(subparsers: Subparsers) -> None:
    """Add the command."""
    parser = subparsers.add_parser(
        "schedule",
        help="what is due, when, and which command does it",
        description="Reads certificates, ledger, policy and checkpoints of this host. What is in Vault comes "
        "from Vault with --token-file, else from the metrics page of the running signer; its own login "
        "always comes from there. Exit code 1: something is overdue; 4: something could not be looked at.",
    )
    parser.add_argument("--config", required=True, metavar="FILE", type=Path, help="signer.toml")
    parser.add_argument(
        "--token-file", metavar="FILE|FD", help="a Vault token that may read keys: an auditor's is enough"
    )
    parser.add_argument("--json", action="store_true", help="one JSON object instead of a table")
    parser.set_defaults(command=_run)


def _run(arguments: Arguments) -> int:
    path: Path = arguments.config
    as_json: bool = arguments.json
    settings = load(path)
    facts = asyncio.run(_facts(settings, arguments))
    now = SystemClock().now()
    entries = schedule(facts, limits_of(settings.rotation), now)
    if as_json:
        print(json.dumps({"overdue": _count(entries, Urgency.OVERDUE), "entries": _rows(entries, now)}))
    else:
        _print_table(entries, now)
    if _count(entries, Urgency.OVERDUE):
        return ExitCode.FINDINGS
    return ExitCode.UNREACHABLE if _count(entries, Urgency.UNKNOWN) else ExitCode.OK


async def _facts(settings: Settings, arguments: Arguments) -> list[Fact]:
    token_file: str | None = arguments.token_file
    facts: dict[tuple[Rotating, str], Fact] = {}
    async with AsyncExitStack() as stack:
        vault = None
        if token_file is not None and settings.vault is not None:
            vault, _ = await stack.enter_async_context(person_vault(arguments))
        sources: list[FactSource] = list(host_and_keys(settings, vault))
        if settings.vault is not None:
            sources.append(_running(settings, _LOGIN if vault is not None else _LOGIN | _KEYS))
        for source in sources:
            for fact in await source.facts():
                # The page repeats what was read here already.
                facts.setdefault((fact.what, fact.name), fact)
    return list(facts.values())


def _running(settings: Settings, wanted: frozenset[Rotating]) -> FactSource:
    if settings.metrics_listen is None:
        return _Nobody(wanted)
    return RunningSignerAges(listen=settings.metrics_listen, wanted=wanted, clock=SystemClock())


class _Nobody:
    """There is nobody to ask."""

    def __init__(self, wanted: frozenset[Rotating]) -> None:
        self._wanted = wanted

    async def facts(self) -> Sequence[Fact]:
        why = "needs metrics_listen in signer.toml, or --token-file for keys"
        return [Fact(what=each, name="-", problem=why) for each in sorted(self._wanted)]


def _count(entries: Sequence[Entry], urgency: Urgency) -> int:
    return sum(entry.urgency is urgency for entry in entries)


def _rows(entries: Sequence[Entry], now: UnixMs) -> list[dict[str, object]]:
    return [
        {
            "what": entry.what,
            "name": entry.name,
            "state": entry.urgency,
            "age_s": entry.age_s(now),
            "due_in_s": entry.due_in_s(now),
            "command": entry.command,
            "problem": entry.problem,
        }
        for entry in entries
    ]


def _print_table(entries: Sequence[Entry], now: UnixMs) -> None:
    table = Table("what", "name", "state", "age", "due in", "by")
    for entry in entries:
        style = "bold red" if entry.urgency in {Urgency.OVERDUE, Urgency.UNKNOWN} else ""
        table.add_row(
            entry.what,
            Text(entry.name),
            Text(entry.urgency, style=style),
            _span(entry.age_s(now)),
            _span(entry.due_in_s(now)),
            Text(f"{entry.command}\n{entry.problem}".strip()),
        )
    Console().print(table)


def _span(seconds: int | None) -> str:
    if seconds is None:
        return "-"
    size = abs(seconds)
    if size < _HOUR_S:
        return f"{seconds} s"
    return f"{seconds // _HOUR_S} h" if size < 3 * DAY_S else f"{seconds // DAY_S} days"
