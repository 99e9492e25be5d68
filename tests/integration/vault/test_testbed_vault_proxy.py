"""The fault proxy is transparent until told, and then fails as told."""

import ssl
from collections.abc import AsyncIterator

import aiohttp
import pytest
import pytest_asyncio

from tests.testbed import vault_faults
from tests.testbed.vault import VaultServer
from tests.testbed.vault_proxy import VaultProxy

LONG_S, SHORT_S = 60, 0.3


@pytest_asyncio.fixture(name="proxy")
async def _proxy(vault_server: VaultServer) -> AsyncIterator[VaultProxy]:
    async with VaultProxy(vault_server) as started:
        yield started


async def _get(
    proxy: VaultProxy, path: str = "sys/health", *, timeout_s: float = LONG_S
) -> tuple[int, bytes]:
    context = ssl.create_default_context(cafile=proxy.ca)
    async with (
        aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=timeout_s)) as session,
        session.get(f"{proxy.url}/v1/{path}", ssl=context, allow_redirects=False) as response,
    ):
        return response.status, await response.read()


async def test_an_untold_proxy_is_transparent_and_remembers_the_path(proxy: VaultProxy) -> None:
    status, body = await _get(proxy)

    assert (status, b'"sealed":false' in body) == (200, True)
    assert proxy.paths == ["GET sys/health"]


@pytest.mark.parametrize(
    ("fault", "status", "part"),
    [
        (vault_faults.Html(), 200, b"<html>"),
        (vault_faults.Status(500), 500, b"scripted"),
        (vault_faults.Status(429, retry_after_s=1), 429, b"scripted"),
        (vault_faults.Redirect("https://other.invalid"), 307, b""),
        (vault_faults.Stall(0.05), 200, b"initialized"),
        (vault_faults.Body(b"[1"), 200, b"[1"),
        (vault_faults.Edited(lambda body: body.replace(b"initialized", b"edited")), 200, b'"edited"'),
        (vault_faults.TooLong(2**17), 200, b"a" * 2**17),
    ],
)
async def test_a_fault_is_met_until_it_is_taken_back(
    proxy: VaultProxy, fault: vault_faults.Fault, status: int, part: bytes
) -> None:
    proxy.fault = fault
    told = await _get(proxy)
    proxy.fault = None
    after = await _get(proxy)

    assert (told[0], part in told[1]) == (status, True)
    assert after[0] == 200


async def test_a_hanging_vault_never_answers(proxy: VaultProxy) -> None:
    proxy.fault = vault_faults.Hang()

    with pytest.raises(TimeoutError):
        await _get(proxy, timeout_s=SHORT_S)


async def test_a_cut_connection_has_happened(proxy: VaultProxy) -> None:
    proxy.fault = vault_faults.DropAfter()

    with pytest.raises(aiohttp.ClientError):
        await _get(proxy)


async def test_a_fault_can_be_for_some_paths_only(proxy: VaultProxy) -> None:
    proxy.fault, proxy.only = vault_faults.Html(), "transit/"

    assert (await _get(proxy))[0] == 200
    assert b"<html>" in (await _get(proxy, "transit/keys/a"))[1]


async def test_another_certificate_is_refused_by_who_knows_the_authority(proxy: VaultProxy) -> None:
    await proxy.present_another_certificate()
    with pytest.raises(aiohttp.ClientConnectorCertificateError):
        await _get(proxy)

    await proxy.present_own_certificate()

    assert (await _get(proxy))[0] == 200
