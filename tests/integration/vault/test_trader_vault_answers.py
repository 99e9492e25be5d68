"""The trader before a Vault that is none: no answer is read without end, no token goes where it cannot go."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import pytest_asyncio
from aiohttp import web

from tests.testbed.vault import VaultServer
from trader.adapters.secrets.vault_client import MAX_ANSWER_BYTES, VaultClient, VaultPlace
from trader.domain.errors import ConfigurationError, SecretsUnavailableError

ENDLESS_BYTES = 64 * MAX_ANSWER_BYTES
CHUNK = b"x" * 2**16


@dataclass(slots=True)
class Stranger:
    """Answers everything with one status and one body, which has no end when it is None."""

    status: int = 200
    body: bytes | None = b"{}"
    headers: dict[str, str] = field(default_factory=dict)
    url: str = ""
    sent: int = 0

    async def answer(self, request: web.Request) -> web.StreamResponse:
        if self.body is not None:
            return web.Response(status=self.status, body=self.body, headers=self.headers)
        response = web.StreamResponse(status=self.status, headers=self.headers)
        await response.prepare(request)
        try:
            while self.sent < ENDLESS_BYTES:
                await response.write(CHUNK)
                self.sent += len(CHUNK)
        except ConnectionError:
            pass  # enough of us
        return response


@pytest_asyncio.fixture
async def stranger() -> AsyncIterator[Stranger]:
    found = Stranger()
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", found.answer)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        found.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        yield found
    finally:
        await runner.cleanup()


@pytest.fixture
def client(stranger: Stranger) -> VaultClient:
    place = VaultPlace(address=stranger.url, ca_file=None, namespace=None, timeout_ms=30_000)
    return VaultClient(place)


@pytest.mark.parametrize("status", [200, 302, 400, 403, 404, 500, 503])
async def test_a_body_without_end_is_not_read_to_its_end(
    stranger: Stranger, client: VaultClient, status: int
) -> None:
    stranger.status, stranger.body = status, None
    stranger.headers = {"Location": "http://127.0.0.1:1/elsewhere"} if status == 302 else {}
    with pytest.raises((ConfigurationError, SecretsUnavailableError)) as raised:
        await asyncio.to_thread(client.read, "secret/data/x")
    client.close()

    assert stranger.sent < ENDLESS_BYTES
    assert len(str(raised.value)) < 200


@pytest.mark.parametrize(
    ("status", "errors", "kind", "says"),
    [
        (400, '["missing role"]', ConfigurationError, "missing role"),
        (403, '["permission denied"]', ConfigurationError, "policy has to allow it"),
        (403, '["permission denied", "invalid token"]', SecretsUnavailableError, "our token"),
        (404, "[]", ConfigurationError, "has nothing"),
        (429, "null", SecretsUnavailableError, "failed with 429"),
        (503, '["Vault is sealed"]', SecretsUnavailableError, "sealed"),
    ],
)
async def test_each_refusal_is_told_apart(  # noqa: PLR0917 - a table
    stranger: Stranger, client: VaultClient, status: int, errors: str, kind: type[Exception], says: str
) -> None:
    stranger.status, stranger.body = status, f'{{"errors": {errors}}}'.encode()
    with pytest.raises(kind, match=says):
        await asyncio.to_thread(client.read, "secret/data/x")


@pytest.mark.parametrize("token", ["", "two words", "line\\nbreak", "\\u00fc", "x" * 8193])
async def test_a_login_answered_with_something_that_is_no_token_is_refused(
    stranger: Stranger, client: VaultClient, token: str
) -> None:
    stranger.body = f'{{"auth": {{"client_token": "{token}"}}}}'.encode()
    with pytest.raises(SecretsUnavailableError, match="without a token") as raised:
        await asyncio.to_thread(client.write, "auth/approle/login", {})

    assert not token or token not in str(raised.value)


async def test_the_keys_of_a_connection_are_written_nowhere(
    airlock_vault: VaultServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = tmp_path / "keys.log"
    monkeypatch.setenv("SSLKEYLOGFILE", str(log))
    place = VaultPlace(address=airlock_vault.url, ca_file=airlock_vault.ca, namespace=None, timeout_ms=30_000)
    found = await asyncio.to_thread(VaultClient(place).read, "sys/seal-status")

    assert found.data is not None
    assert not log.exists()
