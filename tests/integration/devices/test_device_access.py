"""The devices of the settings at the start of a signer: opened, closed at the end, absent without harm."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from signer.bindings import check_at_start
from signer.device_access import device_backends
from signer.domain.accounts import AccountId
from signer.domain.errors import BrokenError, ConfigurationError
from signer.mock.devices.ledger.device import LedgerDevice
from signer.mock.devices.ledger.person import APPROVE, always
from signer.mock.devices.ledger.server import LedgerServer
from signer.ports.key_backend import KeyBackend
from signer.settings import Settings, parse
from tests.integration.devices.ledger_rig import (
    EVM,
    OTHER_MNEMONIC,
    Events,
    only_the_double,
    transaction,
)

pytestmark = only_the_double

_TEXT = """listen = "127.0.0.1:7443"
ledger = "ledger.sqlite"
audit = "audit.jsonl"
policy = "policy.toml"
[tls]
certificate = "server.pem"
key = "server.key"
client_ca = "ca.pem"
[[chains]]
id = "eip155:31337"
rpc_url = "http://127.0.0.1:1"
[[ledgers]]
name = "desk"
where = "tcp:{address}"
lock_file = "desk.lock"
[[accounts]]
id = "{account}"
wallet = "large"
backend = "ledger"
ledger = {{ device = "desk", path = "m/44'/60'/0'/0/0" }}
[[clients]]
san = "spiffe://airlock.local/trader"
role = "trader"
"""


def _settings(folder: Path, address: str) -> Settings:
    return parse(_TEXT.format(address=address, account=EVM).encode(), folder / "signer.toml")


async def test_an_account_on_a_ledger_signs_as_the_settings_say(tmp_path: Path) -> None:
    device, events = LedgerDevice(person=always(APPROVE)), Events()
    device.blind(on=True)
    with LedgerServer(device) as server:
        async with device_backends(_settings(tmp_path, server.address), events) as backends:
            await check_at_start(_only(backends), EVM, events)
            await _only(backends).sign_evm(EVM, transaction(1))

        assert (device.signed, (tmp_path / "desk.lock").exists()) == (1, True)
    assert "account.device_not_ready" not in events.names


async def test_a_device_that_is_away_or_locked_stops_no_start(tmp_path: Path) -> None:
    device, events = LedgerDevice(), Events()
    with LedgerServer(device) as server:
        async with device_backends(_settings(tmp_path, server.address), events) as backends:
            device.unplug()
            await check_at_start(_only(backends), EVM, events)
            device.plug(locked=True)
            await check_at_start(_only(backends), EVM, events)

    reasons = [fields["reason"] for name, fields in events.seen if name == "account.device_not_ready"]
    assert reasons == ["DEVICE_GONE", "DEVICE_LOCKED"]


async def test_another_seed_stops_the_start(tmp_path: Path) -> None:
    events = Events()
    with LedgerServer(LedgerDevice(mnemonic=OTHER_MNEMONIC)) as server:
        async with device_backends(_settings(tmp_path, server.address), events) as backends:
            with pytest.raises(BrokenError, match="connect the device that was pinned"):
                await check_at_start(_only(backends), EVM, events)


async def test_an_environment_that_redirects_devices_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LEDGER_PROXY_ADDRESS", "10.0.0.1")

    with pytest.raises(ConfigurationError, match="LEDGER_PROXY_ADDRESS"):
        async with device_backends(_settings(tmp_path, "127.0.0.1:1"), Events()):
            pass


async def test_tcp_beyond_this_machine_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"allowed is 127\.0\.0\.1:PORT"):
        async with device_backends(_settings(tmp_path, "10.0.0.1:9999"), Events()):
            pass


def _only(backends: Mapping[AccountId, KeyBackend]) -> KeyBackend:
    return backends[EVM]
