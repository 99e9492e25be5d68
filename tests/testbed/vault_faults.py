"""The ways in which a Vault can fail, as values for `VaultProxy.fault`; refuses to fail by chance."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol

from aiohttp import web
from typing_extensions import override


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
    status: int = 200
    headers: tuple[tuple[str, str], ...] = ()

    @override
    async def meet(self, exchange: Exchange) -> web.StreamResponse:
        headers = {"Content-Type": "application/json", **dict(self.headers)}
        response = web.StreamResponse(status=self.status, headers=headers)
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
    """Status 200 (or another) with exactly these bytes: no JSON, JSON of another shape, half of an answer."""

    content: bytes
    status: int = 200
    headers: tuple[tuple[str, str], ...] = ()

    @override
    async def meet(self, exchange: Exchange) -> web.StreamResponse:
        headers = {"Content-Type": "application/json", **dict(self.headers)}
        return web.Response(body=self.content, status=self.status, headers=headers)


@dataclass(frozen=True, slots=True)
class Edited(Fault):
    """Vault's true answer after `edit`: a signature of another key, an address that is not the pinned one."""

    edit: Callable[[bytes], bytes]

    @override
    async def meet(self, exchange: Exchange) -> web.StreamResponse:
        answer = await exchange.ask()
        body = answer.body if isinstance(answer.body, bytes) else b""
        return web.Response(status=answer.status, body=self.edit(body), content_type="application/json")
