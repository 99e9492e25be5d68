"""The Vault of the test bed does to its clients what it says."""

import asyncio
import os

import aiohttp
import pytest

from tests.testbed.vault import VaultServer


async def test_the_server_is_active_audited_and_speaks_tls_of_its_own_authority(
    vault_server: VaultServer,
) -> None:
    health = await vault_server.request("GET", "sys/health")

    assert (health.status, health.body["sealed"]) == (200, False)
    assert vault_server.url.startswith("https://127.0.0.1:")
    assert "sys/audit/file" in vault_server.audit_log.read_text(encoding="utf-8")


async def test_hvac_reaches_it(vault_server: VaultServer) -> None:
    known = await asyncio.to_thread(vault_server.client().is_authenticated)

    assert known


async def test_a_token_of_a_policy_may_only_what_the_policy_says(vault_server: VaultServer) -> None:
    token = await vault_server.token("default")

    refused = await vault_server.request("GET", "sys/mounts", token=token)

    assert (refused.status, refused.errors) == (403, ["1 error occurred:\n\t* permission denied\n\n"])


async def test_a_wrapped_answer_is_read_once(vault_server: VaultServer) -> None:
    waiting = await vault_server.wrapped("auth/token/create", {"policies": ["default"]})
    first = await vault_server.request("POST", "sys/wrapping/unwrap", token=waiting)

    second = await vault_server.request("POST", "sys/wrapping/unwrap", token=waiting)

    assert (first.status, second.status) == (200, 400)
    assert second.errors == ["wrapping token is not valid or does not exist"]


async def test_data_survives_sealing_restart_and_kill(own_vault_server: VaultServer) -> None:
    vault = own_vault_server
    await vault.write("sys/policies/acl/kept", {"policy": 'path "a" { capabilities = ["read"] }'})

    await vault.seal()
    sealed = await vault.request("GET", "sys/policies/acl/kept")
    await vault.unseal()
    await vault.restart()
    vault.kill()
    with pytest.raises(aiohttp.ClientConnectorError):
        await vault.request("GET", "sys/health")
    await vault.start_again()

    assert (sealed.status, sealed.errors) == (503, ["Vault is sealed"])
    assert (await vault.read("sys/policies/acl/kept"))["name"] == "kept"


async def test_a_stalled_server_answers_late(own_vault_server: VaultServer) -> None:
    own_vault_server.stall()
    asked = asyncio.create_task(own_vault_server.request("GET", "sys/health"))
    await asyncio.sleep(0.2)
    still_waiting = not asked.done()
    own_vault_server.resume()

    assert still_waiting
    assert (await asked).status == 200


async def test_the_server_ends_with_its_block_even_when_it_is_stalled(vault_server: VaultServer) -> None:
    async with VaultServer(initialised=False) as server:
        pid = server.pid
        server.stall()

    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
    assert vault_server.pid != pid
