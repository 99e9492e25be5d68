"""The ways in which a node can fail, as values for `RpcProxy.fault`; refuses to fail by chance."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol, TypeAlias

from aiohttp import web
from typing_extensions import override

from tests.testbed import geth_rules
from tests.testbed.packages import Json

Answer: TypeAlias = dict[str, Json]


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchange:
    """One HTTP call that meets a fault: `ask` forwards it to the node under the proxy's rules."""

    request: web.Request
    body: Answer
    ask: Callable[[], Awaitable[Answer]]
    closing: asyncio.Event  # set when the proxy goes away

    def cut(self) -> web.StreamResponse:
        """Resets the connection."""
        if self.request.transport is not None:
            self.request.transport.abort()
        return web.Response()  # nobody reads it any more

    def answer(self, **members: Json) -> web.StreamResponse:
        """A JSON-RPC answer with these members, under the call's id unless they name one."""
        return web.json_response({"jsonrpc": "2.0", "id": self.body.get("id"), **members})


class Fault(Protocol):
    """Answers an exchange in the node's place."""

    async def meet(self, exchange: Exchange) -> web.StreamResponse: ...


@dataclass(frozen=True, slots=True)
class DropBefore(Fault):
    """Cuts the connection without asking the node: the call never happened."""

    @override
    async def meet(self, exchange: Exchange) -> web.StreamResponse:
        return exchange.cut()


@dataclass(frozen=True, slots=True)
class DropAfter(Fault):
    """Asks the node, then cuts the connection: it happened, and nobody was told."""

    @override
    async def meet(self, exchange: Exchange) -> web.StreamResponse:
        await exchange.ask()
        return exchange.cut()


@dataclass(frozen=True, slots=True)
class Status(Fault):
    """An HTTP error without asking the node, such as 429 with `Retry-After`, or 503."""

    code: int
    retry_after_s: int | None = None

    @override
    async def meet(self, exchange: Exchange) -> web.StreamResponse:
        headers = {} if self.retry_after_s is None else {"Retry-After": str(self.retry_after_s)}
        return web.Response(status=self.code, text="scripted", headers=headers)


@dataclass(frozen=True, slots=True)
class HtmlBody(Fault):
    """Status 200 and a web page, as a captive proxy answers."""

    @override
    async def meet(self, exchange: Exchange) -> web.StreamResponse:
        return web.Response(text="<html><body>Please log in</body></html>", content_type="text/html")


@dataclass(frozen=True, slots=True)
class Hang(Fault):
    """Takes the call and never answers; the connection stays open until the proxy closes."""

    @override
    async def meet(self, exchange: Exchange) -> web.StreamResponse:
        await exchange.closing.wait()
        return exchange.cut()


@dataclass(frozen=True, slots=True)
class Delay(Fault):
    """Answers truthfully, late."""

    seconds: float

    @override
    async def meet(self, exchange: Exchange) -> web.StreamResponse:
        await asyncio.sleep(self.seconds)
        return web.json_response(await exchange.ask())


@dataclass(frozen=True, slots=True)
class WrongId(Fault):
    """A true result under another call's id."""

    @override
    async def meet(self, exchange: Exchange) -> web.StreamResponse:
        return web.json_response({**await exchange.ask(), "id": 987_654_321})


@dataclass(frozen=True, slots=True)
class NullResult(Fault):
    """Asks the node, then answers null."""

    @override
    async def meet(self, exchange: Exchange) -> web.StreamResponse:
        await exchange.ask()
        return exchange.answer(result=None)


@dataclass(frozen=True, slots=True)
class WrongHash(Fault):
    """Forwards a transaction, then answers with the hash of another."""

    @override
    async def meet(self, exchange: Exchange) -> web.StreamResponse:
        await exchange.ask()
        return exchange.answer(result="0x" + "ab" * 32)


@dataclass(frozen=True, slots=True)
class Swallow(Fault):
    """Answers a transaction with its right hash, and forgets it."""

    @override
    async def meet(self, exchange: Exchange) -> web.StreamResponse:
        params = exchange.body["params"]
        assert isinstance(params, list)
        return exchange.answer(result=geth_rules.transaction_hash(str(params[0])))


@dataclass(frozen=True, slots=True)
class Refuse(Fault):
    """A JSON-RPC error without asking the node."""

    code: int
    message: str

    @override
    async def meet(self, exchange: Exchange) -> web.StreamResponse:
        return exchange.answer(error={"code": self.code, "message": self.message})
