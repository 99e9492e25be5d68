"""`airlock-signer devices list`: what is plugged in, and how it is. Has no device show anything."""

import asyncio
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from signer.adapters.device.on_usb import OnUsb
from signer.adapters.ledger_device.on_usb import ledgers_on_usb
from signer.adapters.trezor_device.on_usb import trezors_on_usb
from signer.cli.command import Arguments, Subparsers
from signer.cli.exit_codes import ExitCode
from signer.device_access import statuses
from signer.domain.accounts import AccountId
from signer.ports.device import DeviceStatus
from signer.settings import (
    AccountSettings,
    LedgerSettings,
    Settings,
    TrezorSettings,
    load,
    refuse_redirected_devices,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A device, for one of its accounts if the settings give it any. `name` is empty for a stranger."""

    kind: str
    where: str
    name: str
    account: str
    state: str
    ready: bool
    reason: str
    message: str
    detail: str


def add_to(actions: Subparsers) -> None:
    """Add the action."""
    parser = actions.add_parser("list", help="devices on USB and those of the settings, and how they are")
    parser.add_argument("--settings", metavar="FILE", type=Path, help="signer.toml")
    parser.add_argument("--json", action="store_true", help="one JSON object instead of a table")
    parser.set_defaults(command=_run)


def _run(arguments: Arguments) -> int:
    refuse_redirected_devices()
    settings = None if arguments.settings is None else load(arguments.settings)
    plugged = (*ledgers_on_usb(), *trezors_on_usb())
    rows = [*_strangers(plugged, settings)]
    if settings is not None:
        rows += _known(settings, asyncio.run(statuses(settings, _NoLog())))
    if arguments.json:
        print(json.dumps({"devices": [asdict(row) for row in rows]}))
    else:
        _print(rows)
    return ExitCode.OK if all(row.ready or not row.message for row in rows) else ExitCode.FINDINGS


def _strangers(plugged: Sequence[OnUsb], settings: Settings | None) -> Iterator[Row]:
    known = () if settings is None else [(kind, each.where) for kind, each in _tables(settings)]
    for device in plugged:
        if not any((device.kind, where) in known for where in (device.where, *device.also)):
            yield Row(
                kind=device.kind,
                where=device.where,
                name="",
                account="",
                state="no access" if device.problem else "plugged in",
                ready=False,
                reason="",
                message=device.problem,
                detail=device.model,
            )


def _known(settings: Settings, seen: Mapping[AccountId, DeviceStatus]) -> Iterator[Row]:
    for kind, device in _tables(settings):
        accounts = [each.account_id for each in settings.accounts if _is_on(each, kind, device.name)]
        for account in accounts:
            yield _row(device, seen[account], account)
        if not accounts:
            status = DeviceStatus(
                name=device.name, kind=kind, state="not asked", ready=False, detail="has no account yet"
            )
            yield _row(device, status, "")


def _row(device: LedgerSettings | TrezorSettings, status: DeviceStatus, account: str) -> Row:
    return Row(
        kind=status.kind,
        where=device.where,
        name=device.name,
        account=account,
        state=status.state,
        ready=status.ready,
        reason=status.reason or "",
        message=status.message,
        detail=status.detail,
    )


def _tables(settings: Settings) -> Iterator[tuple[str, LedgerSettings | TrezorSettings]]:
    yield from (("ledger", each) for each in settings.ledgers)
    yield from (("trezor", each) for each in settings.trezors)


def _is_on(account: AccountSettings, kind: str, device: str) -> bool:
    key = account.ledger if kind == "ledger" else account.trezor
    return key is not None and key.device == device


def _print(rows: Sequence[Row]) -> None:
    if not rows:
        print("no Ledger and no Trezor on USB; --settings names others")
        return
    table = Table("where", "name", "what", "account", "state")
    for row in rows:
        state = Text("ready") if row.ready else Text(row.message or row.state)
        # A text, not a string: in a string, brackets are commands to the table.
        texts = (row.where, row.name, row.detail or row.kind, row.account)
        table.add_row(*map(Text, texts), state)
    Console().print(table)


class _NoLog:
    def event(self, name: str, **fields: object) -> None:
        """Nobody listens: a command tells by what it prints and by its exit code."""
