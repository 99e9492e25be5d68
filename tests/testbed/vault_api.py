"""`VaultApi` by plain requests, for tests of what stands on it; refuses nothing and retries nothing.

The signer's own session has logins, renewal and bounds besides; this one has a token and the bed's server.
"""

import json
import ssl
from collections.abc import Callable, Mapping
from typing import cast

import aiohttp
from typing_extensions import override

from signer.adapters.vault.api import Body, Used, VaultApi, VaultRefusedError, Wrapped
from signer.adapters.vault.secret_channel import Endpoint, SecretChannels, StatusError
from signer.domain.errors import UnavailableError
from signer.domain.reasons import FailReason
from tests.testbed.packages import Json
from tests.testbed.vault import VaultServer
from tests.testbed.vault_proxy import VaultProxy
from tests.testbed.vault_requests import Reply

_NOT_FOUND, _FORBIDDEN, _SEALED = 404, 403, 503
_REASONS = {
    _FORBIDDEN: FailReason.VAULT_FORBIDDEN,
    429: FailReason.VAULT_RATE_LIMITED,
    473: FailReason.VAULT_STANDBY,
    500: FailReason.VAULT_FAULTY,
    502: FailReason.VAULT_FAULTY,
    _SEALED: FailReason.VAULT_SEALED,
}


class PlainVaultApi(VaultApi):
    """Requests of one token, root's by default. Answers with keys come `through` a proxy, if given."""

    def __init__(
        self,
        server: VaultServer,
        token: str | None = None,
        *,
        through: VaultProxy | None = None,
        timeout_ms: int = 5_000,
    ) -> None:
        self._server, self._token = server, token
        self._gate: VaultServer | VaultProxy = through or server
        self._timeout_ms = timeout_ms
        self._secret: SecretChannels | None = None

    def close(self) -> None:
        """Closes the connections over which answers with keys came."""
        if self._secret is not None:
            self._secret.close()

    @override
    async def read(self, path: str) -> Mapping[str, object] | None:
        reply = await self._ask("GET", path)
        return None if reply.status == _NOT_FOUND else _good(path, reply).data

    @override
    async def list(self, path: str) -> tuple[str, ...]:
        reply = await self._ask("LIST", path)
        keys = None if reply.status == _NOT_FOUND else _good(path, reply).data.get("keys")
        return tuple(map(str, keys)) if isinstance(keys, list) else ()

    @override
    async def write(self, path: str, body: Body) -> Mapping[str, object]:
        return _good(path, await self._ask("POST", path, body)).data

    @override
    async def write_wrapped(self, path: str, body: Body, *, ttl_s: int) -> Wrapped:
        info = _good(path, await self._ask("POST", path, body, wrap_ttl_s=ttl_s)).body["wrap_info"]
        assert isinstance(info, dict)
        return Wrapped(token=str(info["token"]), ttl_s=int(str(info["ttl"])))

    @override
    async def write_secret(
        self, path: str, body: Body | memoryview, use: Callable[[memoryview], Used]
    ) -> Used:
        if self._secret is None:
            host, _, port = self._gate.url.removeprefix("https://").rpartition(":")
            tls = ssl.create_default_context(cafile=self._gate.ca)
            endpoint = Endpoint(host=host, port=int(port), tls=lambda: tls, timeout_ms=self._timeout_ms)
            self._secret = SecretChannels(endpoint)
        token = self._server.root_token if self._token is None else self._token
        sent = body if isinstance(body, memoryview) else json.dumps(dict(body)).encode()
        try:
            return await self._secret.post(path, {"X-Vault-Token": token}, sent, use)
        except StatusError as error:
            good = _good(path, Reply(status=error.status, body=_json(error.body)))
            raise AssertionError(f"{good} is good after all") from error

    @override
    async def delete(self, path: str) -> None:
        _good(path, await self._ask("DELETE", path))

    async def _ask(
        self, method: str, path: str, body: Body | None = None, *, wrap_ttl_s: int | None = None
    ) -> Reply:
        sent = None if body is None else cast("dict[str, Json]", dict(body))
        try:
            return await self._server.request(method, path, sent, token=self._token, wrap_ttl_s=wrap_ttl_s)
        except TimeoutError as error:
            raise UnavailableError(FailReason.VAULT_SLOW, f"Vault did not answer {path}") from error
        except (aiohttp.ClientError, OSError) as error:
            raise UnavailableError(FailReason.VAULT_UNREACHABLE, f"{path}: {error}") from error


def _good(path: str, reply: Reply) -> Reply:
    if reply.status in {200, 204}:
        return reply
    texts = tuple(map(str, reply.errors))
    if reply.status == _FORBIDDEN and "invalid token" in "".join(texts):
        raise UnavailableError(FailReason.VAULT_LOGGED_OUT, f"{path}: {texts}")
    if reply.status in _REASONS:
        raise UnavailableError(_REASONS[reply.status], f"{path}: {reply.status} {texts}")
    raise VaultRefusedError(path, reply.status, texts)


def _json(raw: bytes) -> dict[str, Json]:
    try:
        body: dict[str, Json] = json.loads(raw)
    except ValueError:
        return {}
    return body
