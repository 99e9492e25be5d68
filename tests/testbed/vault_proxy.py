"""A TLS proxy in front of a Vault that fails as told, switchable at run time; refuses to fail unscripted.

    async with VaultProxy(vault) as proxy:   # proxy.url, proxy.ca
        proxy.fault = Html()
        proxy.fault = None                   # transparent again

Every request is recorded with its path; tokens and bodies are not.
"""

import asyncio
import ssl
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Self

import aiohttp
from aiohttp import web

from signer.adapters.pki.authority import Authority, Issued
from signer.adapters.system_clock import SystemClock
from tests.testbed.vault import SERVER_URI, VaultServer
from tests.testbed.vault_faults import Exchange, Fault

_KEPT_HEADERS = ("X-Vault-Token", "X-Vault-Request", "X-Vault-Wrap-TTL", "X-Vault-Namespace", "Content-Type")
_MAX_BODY_BYTES = 32 * 2**20
_ROUNDS, _ROUND_S = 20, 0.002


class VaultProxy:
    """Listens on `url` with a certificate of `ca`; `fault` meets requests whose path has `only` in it."""

    def __init__(self, upstream: VaultServer) -> None:
        self._upstream = upstream
        self._closing = asyncio.Event()
        self._folder = Path()
        self._port = 0
        self.fault: Fault | None = None
        self.only = ""
        self.paths: list[str] = []  # "METHOD path" of every request, in order of arrival
        self.url = ""

    async def __aenter__(self) -> Self:
        self._temporary = tempfile.TemporaryDirectory(prefix="airlock-vault-proxy-")
        self._folder = Path(self._temporary.name)
        authority = Authority(name="Airlock test CA of a proxy", now=SystemClock().now())
        self._own, self._foreign = _certificate(authority), _certificate(_foreign_authority())
        (self._folder / "ca.pem").write_bytes(authority.own.certificate)
        self._client = aiohttp.ClientSession()
        app = web.Application(client_max_size=_MAX_BODY_BYTES)
        app.router.add_route("*", "/{path:.*}", self._serve)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.5)
        await self._runner.setup()
        await self._listen(self._own)
        self._port = self._runner.addresses[0][1]
        self.url = f"https://127.0.0.1:{self._port}"
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._closing.set()
        await self._hang_up()
        await self._runner.cleanup()
        await self._client.close()
        # TLS says goodbye, and a handshake that was given up is no connection yet: both end in the loop's
        # next rounds; on a busy machine a pause may be only one of them.
        for _ in range(_ROUNDS):
            await asyncio.sleep(_ROUND_S)
        self._temporary.cleanup()

    @property
    def ca(self) -> Path:
        """PEM of the authority that signed the proxy's ordinary certificate."""
        return self._folder / "ca.pem"

    async def present_another_certificate(self) -> None:
        """From the next connection on: the same name, signed by an authority that nobody here knows."""
        await self._relisten(self._foreign)

    async def present_own_certificate(self) -> None:
        """Takes `present_another_certificate` back."""
        await self._relisten(self._own)

    def count(self, part: str) -> int:
        """How many requests had `part` in their path."""
        return sum(part in path for path in self.paths)

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        self.paths.append(f"{request.method} {request.path.removeprefix('/v1/')}")
        body = await request.read()
        if self.fault is None or self.only not in request.path:
            return await self._ask(request, body)

        async def ask() -> web.Response:
            return await self._ask(request, body)

        return await self.fault.meet(Exchange(request=request, ask=ask, closing=self._closing))

    async def _ask(self, request: web.Request, body: bytes) -> web.Response:
        headers = {name: request.headers[name] for name in _KEPT_HEADERS if name in request.headers}
        url = self._upstream.url + request.path_qs
        context = ssl.create_default_context(cafile=self._upstream.ca)
        async with self._client.request(
            request.method, url, data=body, headers=headers, ssl=context, allow_redirects=False
        ) as response:
            kept = {"Content-Type": response.headers.get("Content-Type", "application/json")}
            return web.Response(status=response.status, body=await response.read(), headers=kept)

    async def _relisten(self, issued: Issued) -> None:
        await self._hang_up()  # kept-alive connections would not see the new certificate
        await self._listen(issued)

    async def _hang_up(self) -> None:
        for site in list(self._runner.sites):
            await site.stop()
        for connection in list(self._runner.server.connections if self._runner.server else []):
            if connection.transport is not None:
                connection.transport.abort()

    async def _listen(self, issued: Issued) -> None:
        certificate, key = self._folder / "server.pem", self._folder / "server.key"
        certificate.write_bytes(issued.certificate)
        key.write_bytes(issued.key)
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(certificate, key)
        await web.TCPSite(self._runner, "127.0.0.1", self._port, ssl_context=context).start()


def _foreign_authority() -> Authority:
    return Authority(name="Somebody else's CA", now=SystemClock().now())


def _certificate(authority: Authority) -> Issued:
    return authority.server(uri=SERVER_URI, hosts=["127.0.0.1", "localhost"])
