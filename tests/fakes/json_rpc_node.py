"""A node that says what the test tells it, over real HTTP on 127.0.0.1."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from typing import TypeVar

from aiohttp import web

from signer.adapters.json_rpc.transport import Json

Answer = Callable[[dict[str, Json]], Awaitable[web.StreamResponse]]


@dataclass
class FakeNode:
    """Chain 31337, a block a second, no receipts, v2 quotes of 1:1. `answers` override results by method."""

    url: str = ""
    chain_id: int = 31337
    answers: dict[str, Json] = field(default_factory=dict)
    errors: dict[str, Json] = field(default_factory=dict)
    raw: Answer | None = None
    calls: list[str] = field(default_factory=list)
    delay_s: float = 0

    async def answer(self, request: web.Request) -> web.StreamResponse:
        question = await request.json()
        method = str(question["method"])
        self.calls.append(method)
        await asyncio.sleep(self.delay_s)
        if self.raw is not None:
            return await self.raw(question)
        reply: dict[str, Json] = {"jsonrpc": "2.0", "id": question["id"]}
        if method in self.errors:
            reply["error"] = self.errors[method]
        else:
            reply["result"] = self.answers.get(method, self._default(method, question["params"]))
        return web.json_response(reply)

    def _default(self, method: str, params: list[Json]) -> Json:
        now = int(time.time())
        match method:
            case "eth_chainId":
                return hex(self.chain_id)
            case "eth_getBlockByNumber":
                tag = str(params[0])
                number = int(tag, 16) if tag.startswith("0x") else now - (2 if tag == "finalized" else 0)
                return block(number)
            case "eth_getTransactionCount":
                return "0x0"
            case "eth_getTransactionReceipt":
                return None
            case "eth_call":
                request = params[0]
                assert isinstance(request, dict)
                amount = str(request["data"])[10:74]
                return "0x" + f"{32:064x}{2:064x}" + amount + amount
            case _:
                raise AssertionError(method)


def block(number: int) -> dict[str, Json]:
    return {
        "number": hex(number),
        "hash": f"0x{number:064x}",
        "timestamp": hex(number),
        "baseFeePerGas": hex(10**9),
    }


NodeT = TypeVar("NodeT", bound=FakeNode)


def text(body: str, status: int = 200) -> Answer:
    """The same body to every question."""

    async def answer(question: dict[str, Json]) -> web.StreamResponse:
        return web.Response(text=body.replace("ID", json.dumps(question["id"])), status=status)

    return answer


def fake_node() -> AbstractAsyncContextManager[FakeNode]:
    return served(FakeNode())


@asynccontextmanager
async def served(node: NodeT) -> AsyncIterator[NodeT]:
    app = web.Application()
    app.router.add_post("/{path:.*}", node.answer)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    node.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield node
    finally:
        await runner.cleanup()
