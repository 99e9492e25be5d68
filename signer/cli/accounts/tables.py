"""The tables of a device account as they stand in signer.toml. Text only; nothing is read or written."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from signer.adapters.device.address_reader import FoundKey
from signer.adapters.ledger_device.backend import LedgerPlace
from signer.adapters.trezor_device.device import TrezorDevice


@dataclass(frozen=True, slots=True, kw_only=True)
class NewAccount:
    """A confirmed account. `kind` is "ledger" or "trezor"; `table` is None where the device has its table."""

    found: FoundKey
    wallet: str
    kind: str
    device: str
    table: LedgerPlace | TrezorDevice | None
    lock_file: Path


def tables_of(new: NewAccount) -> str:
    """TOML, ends with a line end."""
    return "\n".join([*_device(new), *_account(new), ""])


def _device(new: NewAccount) -> Iterator[str]:
    if new.table is None:
        return
    yield f"[[{new.kind}s]]"
    yield f"name = {_text(new.device)}"
    yield f"where = {_text(new.table.where)}"
    yield f"lock_file = {_text(str(new.lock_file))}"
    if isinstance(new.table, TrezorDevice):
        yield from _trezor(new.table, new.found.fingerprint)
    yield ""


def _trezor(device: TrezorDevice, fingerprint: bytes | None) -> Iterator[str]:
    if fingerprint is not None:
        yield f'fingerprint = "{fingerprint.hex()}"'
    if device.allow_udp:
        yield "allow_udp = true"
    if device.passphrase_on_device:
        yield "passphrase_on_device = true"
    if device.credentials_file is not None:
        yield f"credentials = {_text(str(device.credentials_file))}"


def _account(new: NewAccount) -> Iterator[str]:
    key = f"device = {_text(new.device)}, path = {_text(new.found.path)}"
    yield "[[accounts]]"
    yield f"id = {_text(f'{new.found.chain}:{new.found.shown}')}"
    yield f"wallet = {_text(new.wallet)}"
    yield f'backend = "{new.kind}"'
    yield f"{new.kind} = {{ {key} }}"


def _text(value: str) -> str:
    # A JSON string in ASCII is a basic string of TOML.
    return json.dumps(value)
