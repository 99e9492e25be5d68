"""The whole signer with its key in Vault: it signs, shows Vault's health, and the doctor sees it all."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import grpc
import grpc.aio
import pytest
from grpc_health.v1 import health_pb2

from signer.adapters.pki.dev_pki import write_dev_pki
from signer.adapters.system_clock import SystemClock
from signer.adapters.vault.envelopes import FileEnvelopes
from signer.app import open_signer
from signer.cli.checks import Check, checks
from signer.domain.errors import UnavailableError
from signer.settings import Settings, load
from tests.fakes import wire
from tests.fakes.json_rpc_node import fake_node
from tests.fakes.signer_world import ListLog
from tests.integration.test_signer_contract import SETTINGS
from tests.integration.vault.session_rig import Ground
from tests.integration.vault.vault_accounts import VaultAccounts
from tests.testbed.vault import VaultServer
from tests.testbed.vault_api import PlainVaultApi
from tests.testbed.vault_ground import lay_ground

VAULT = """
[vault]
address = "{address}"
ca = "{ca}"
wrapping_key = "{wrapping_key}"
envelopes = "file:envelopes"
[vault.login]
jwt = {{ mount = "{mount}", role = "signer", token_file = "token" }}
"""
SERVING, NOT_SERVING = health_pb2.HealthCheckResponse.SERVING, health_pb2.HealthCheckResponse.NOT_SERVING


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Settings of a signer whose one key is in `vault`."""

    vault: VaultServer
    folder: Path
    settings: Settings


@pytest.fixture(name="place")
async def _place(own_vault_server: VaultServer, tmp_path: Path) -> AsyncIterator[Place]:
    vault = own_vault_server
    await lay_ground(vault)
    (tmp_path / "envelopes").mkdir(mode=0o700)
    api = PlainVaultApi(vault)
    accounts = VaultAccounts(api=api, chain_id=31337, store=FileEnvelopes(tmp_path / "envelopes"))
    await accounts.lay()
    await accounts.wrap(1)
    api.close()
    ground = Ground(vault=vault, folder=tmp_path)
    await ground.may_do_everything()
    await ground.jwt()
    write_dev_pki(tmp_path / "pki", now=SystemClock().now())
    (tmp_path / "policy.toml").write_text(wire.POLICY)
    table = VAULT.format(
        address=vault.url, ca=vault.ca, wrapping_key=accounts.wrapping_key, mount=ground.name
    )
    async with fake_node() as node:
        text = SETTINGS.format(url=node.url, account=wire.ACCOUNT)
        text = text.replace('backend = "dev"\ndev = { mnemonic_index = 1 }', 'backend = "vault"')
        (tmp_path / "signer.toml").write_text(text + table)
        yield Place(vault=vault, folder=tmp_path, settings=load(tmp_path / "signer.toml"))


@asynccontextmanager
async def _connected(place: Place, log: ListLog) -> AsyncIterator[grpc.aio.Channel]:
    async with (
        open_signer(place.settings, clock=SystemClock(), log=log) as listening,
        wire.channel(f"127.0.0.1:{listening.port}", place.folder / "pki") as channel,
    ):
        yield channel


async def _until_health(channel: grpc.aio.Channel, wanted: int) -> None:
    watch = channel.unary_stream(
        "/grpc.health.v1.Health/Watch",
        request_serializer=health_pb2.HealthCheckRequest.SerializeToString,
        response_deserializer=health_pb2.HealthCheckResponse.FromString,
    )
    async for seen in watch(health_pb2.HealthCheckRequest(service="airlock.vault"), timeout=20):
        if seen.status == wanted:
            return


async def _doctor(settings: Settings) -> dict[str, Check]:
    return {check.part: check async for check in checks(settings, SystemClock())}


async def test_a_signer_signs_shows_a_sealed_vault_and_signs_again_by_itself(place: Place) -> None:
    log = ListLog()

    async with _connected(place, log) as channel:
        stub = wire.signer_stub(channel)
        first = await stub.SignEvmTransaction(wire.sign_message("one"))
        await _until_health(channel, SERVING)
        await place.vault.seal()
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await stub.SignEvmTransaction(wire.sign_message("two"))
        await _until_health(channel, NOT_SERVING)
        await place.vault.unseal()
        await _until_health(channel, SERVING)
        again = await stub.SignEvmTransaction(wire.sign_message("two"))

    assert (first.nonce, again.nonce) == (0, 1)
    assert caught.value.code() is grpc.StatusCode.UNAVAILABLE
    assert wire.reasons(caught.value) == ["VAULT_SEALED"]
    assert "an operator has to unseal it" in str(caught.value.details())
    told = [name for name, _ in log.events if name.startswith("vault.")]
    assert told == ["vault.logged_in", "vault.not_serving", "vault.serving"]
    assert "hvs." not in json.dumps(log.events, default=str)


async def test_a_signer_does_not_start_on_a_vault_that_stays_away(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("signer.vault_access._PATIENCE_MS", 0)
    place.vault.kill()

    with pytest.raises(UnavailableError, match="out of reach"):
        async with open_signer(place.settings, clock=SystemClock(), log=ListLog()):
            pass


async def test_the_doctor_sees_the_node_and_the_login_of_vault(place: Place) -> None:
    fine = await _doctor(place.settings)
    await place.vault.seal()
    sealed = await _doctor(place.settings)

    assert all(check.fine for check in fine.values()), fine
    assert "unsealed, active" in fine["vault"].seen
    assert "a token lives" in fine["vault login"].seen
    assert "1 accounts" in fine["backend vault"].seen
    assert "backend dev" not in fine
    assert {part for part, check in sealed.items() if not check.fine} == {
        "vault",
        "vault login",
        "backend vault",
    }
    assert "an operator has to unseal it" in sealed["vault"].seen
