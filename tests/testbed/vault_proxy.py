"""A TLS proxy in front of a Vault that fails as told, switchable at run time; refuses to fail unscripted.

    async with VaultProxy(vault) as proxy:   # proxy.url, proxy.ca
        proxy.fault = Html()
        proxy.fault = None                   # transparent again

Every request is recorded with its path; tokens and bodies are not.
"""

import asyncio
import ssl
import tempfile
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

import aiohttp
from aiohttp import web
from typing_extensions import override

from signer.adapters.pki.authority import Authority, Issued
from signer.adapters.system_clock import SystemClock
from tests.testbed.vault import SERVER_URI, VaultServer

_KEPT_HEADERS = ("X-Vault-Token", "X-Vault-Request", "X-Vault-Wrap-TTL", "X-Vault-Namespace", "Content-Type")
_MAX_BODY_BYTES = 32 * 2**20


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchange:
    """One request that meets a fault; `ask` hands it to Vault."""

    request: web.Request
    ask: Callable[[], Awaitable[web.Response]]
    closing: asyncio.Event

    def cut(self) -> web.Response:
        """Resets the connection."""
        if self.request.transport is not None:
            self.request.transport.abort()
        return web.Response()  # nobody reads it any more


class Fault(Protocol):
    """Answers in Vault's place."""

    async def meet(self, exchange: Exchange) -> web.StreamResponse: ...


@dataclass(frozen=True, slots=True)
class Html(Fault):
    """A web page with status 200 (or another), as a captive proxy answers."""

    status: int = 200

    @override
    async def meet(self, exchange: Exchange) -> web.StreamResponse:
        page = "<html><body>Please log in</body></html>"
        return web.Response(status=self.status, text=page, content_type="text/html")


@dataclass(frozen=True, slots=True)
class Status(Fault):
    """An error in Vault's own shape, such as 500, 429 (also with Retry-After), 503."""

    code: int
    error: str = "scripted"
    retry_after_s: int | None = None

    @override
    async def meet(self, exchange: Exchange) -> web.StreamResponse:
        headers = {} if self.retry_after_s is None else {"Retry-After": str(self.retry_after_s)}
        return web.json_response({"errors": [self.error]}, status=self.code, headers=headers)


@dataclass(frozen=True, slots=True)
class Hang(Fault):
    """Takes the request and never answers; Vault never sees it."""

    @override
    async def meet(self, exchange: Exchange) -> web.StreamResponse:
        await exchange.closing.wait()
        return exchange.cut()


@dataclass(frozen=True, slots=True)
class Stall(Fault):
    """Waits, then asks Vault and answers truthfully."""

    seconds: float

    @override
    async def meet(self, exchange: Exchange) -> web.StreamResponse:
        await asyncio.sleep(self.seconds)
        return await exchange.ask()


@dataclass(frozen=True, slots=True)
class DropAfter(Fault):
    """Asks Vault, then cuts the connection: it happened, and nobody was told."""

    @override
    async def meet(self, exchange: Exchange) -> web.StreamResponse:
        await exchange.ask()
        return exchange.cut()


@dataclass(frozen=True, slots=True)
class Redirect(Fault):
    """307 to another host: who follows it hands over the token."""

    to: str

    @override
    async def meet(self, exchange: Exchange) -> web.StreamResponse:
        return web.Response(status=307, headers={"Location": self.to + exchange.request.path_qs})


@dataclass(frozen=True, slots=True)
class TooLong(Fault):
    """A JSON answer of about `size_bytes`, sent as fast as it is read."""

    size_bytes: int = 64 * 2**20

    @override
    async def meet(self, exchange: Exchange) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "application/json"})
        await response.prepare(exchange.request)
        await response.write(b'{"data": {"padding": "')
        try:
            for _ in range(self.size_bytes // 2**16):
                await response.write(b"a" * 2**16)
            await response.write(b'"}}')
        except ConnectionError:
            pass  # the reader had enough, which is what is tested
        return response


@dataclass(frozen=True, slots=True)
class Body(Fault):
    """Status 200 with exactly these bytes: no JSON, JSON of another shape, half of an answer."""

    content: bytes

    @override
    async def meet(self, exchange: Exchange) -> web.StreamResponse:
        return web.Response(body=self.content, content_type="application/json")


@dataclass(frozen=True, slots=True)
class Edited(Fault):
    """Vault's true answer after `edit`: a signature of another key, an address that is not the pinned one."""

    edit: Callable[[bytes], bytes]

    @override
    async def meet(self, exchange: Exchange) -> web.StreamResponse:
        answer = await exchange.ask()
        body = answer.body if isinstance(answer.body, bytes) else b""
        return web.Response(status=answer.status, body=self.edit(body), content_type="application/json")


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
        await self._runner.cleanup()
        await self._client.close()
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
        for site in list(self._runner.sites):
            await site.stop()
        for connection in list(self._runner.server.connections if self._runner.server else []):
            if connection.transport is not None:
                connection.transport.abort()  # kept-alive connections would not see the new certificate
        await self._listen(issued)

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
