"""`airlock-signer doctor`: whether the signer could start and work. Changes nothing."""

import asyncio
import json
from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from signer.adapters.system_clock import SystemClock
from signer.cli.checks import Check, checks
from signer.cli.command import Arguments, Subparsers
from signer.cli.exit_codes import ExitCode
from signer.settings import Settings, load


def add_to(subparsers: Subparsers) -> None:
    """Add the command."""
    parser = subparsers.add_parser(
        "doctor", help="look at certificates, policy, ledger, audit, backend, devices, chains and clock"
    )
    parser.add_argument("--config", required=True, metavar="FILE", type=Path, help="signer.toml")
    parser.add_argument("--json", action="store_true", help="one JSON object instead of a table")
    parser.set_defaults(command=_run)


def _run(arguments: Arguments) -> int:
    path: Path = arguments.config
    as_json: bool = arguments.json
    found = asyncio.run(_collect(load(path)))
    if as_json:
        rows = [_row(each) for each in found]
        print(json.dumps({"fine": all(each.fine for each in found), "checks": rows}))
    else:
        _print_table(found)
    return ExitCode.OK if all(each.fine for each in found) else ExitCode.FINDINGS


async def _collect(settings: Settings) -> list[Check]:
    return [check async for check in checks(settings, SystemClock())]


def _print_table(found: list[Check]) -> None:
    table = Table("part", "state", "seen")
    for each in found:
        table.add_row(each.part, _state(each), Text(each.seen))
    Console().print(table)


def _state(check: Check) -> Text:
    if not check.fine:
        return Text("not fine", style="bold red")
    return Text("warning", style="yellow") if check.warning else Text("fine")


def _row(check: Check) -> dict[str, str | bool]:
    return {"part": check.part, "fine": check.fine, "warning": check.warning, "seen": check.seen}
