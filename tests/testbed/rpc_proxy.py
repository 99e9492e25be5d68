"""A JSON-RPC proxy in front of anvil: geth's pool rules, scripted faults, lies; refuses to fail unscripted.

Every call is recorded. Without a script it is transparent, but for the 10 % rule on replacements, `already
known`, and transactions of a stuck nonce, which it keeps to itself until they are released.
"""

import asyncio
import json
import time
from collections import defaultdict, deque
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Self, TypeAlias

import aiohttp
from aiohttp import web

from tests.testbed import geth_rules
from tests.testbed.faults import Answer, Exchange, Fault
from tests.testbed.geth_rules import PooledTransaction
from tests.testbed.packages import Json

Lie: TypeAlias = Callable[[list[Json], Json], Json]  # (params, true result) → told result

SEND = "eth_sendRawTransaction"
_MAX_BODY_BYTES = 32 * 2**20  # a chain state passes through


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One call that reached the proxy, before any fault."""

    method: str
    params: list[Json]


class RpcProxy:
    """`async with RpcProxy(anvil.url) as proxy:` listens on `proxy.url`."""

    def __init__(self, upstream: str) -> None:
        self._upstream = upstream
        self._faults: dict[str, deque[Fault]] = defaultdict(deque)
        self._standing: dict[str, Fault] = {}
        self._lies: dict[str, Lie] = {}
        self._stuck: set[tuple[str, int]] = set()
        self._kept: dict[tuple[str, int], PooledTransaction] = {}
        self._closing = asyncio.Event()
        self.calls: list[Call] = []
        self.accepted_ms: dict[str, float] = {}  # transaction hash: unix time at which the node had taken it
        self.url = ""

    async def __aenter__(self) -> Self:
        app = web.Application(client_max_size=_MAX_BODY_BYTES)
        app.router.add_post("/", self._serve)
        self._client = aiohttp.ClientSession()
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.5)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        port: int = self._runner.addresses[0][1]
        self.url = f"http://127.0.0.1:{port}"
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._closing.set()
        await self._runner.cleanup()
        await self._client.close()

    def fault(self, method: str, fault: Fault, *, times: int | None = 1) -> None:
        """The next `times` calls of `method` meet `fault`, in the order scripted; None: until `clear`."""
        if times is None:
            self._standing[method] = fault
        else:
            self._faults[method].extend([fault] * times)

    def lie(self, method: str, told: Lie) -> None:
        """Every result of `method` is replaced by `told(params, true_result)`, until `clear`."""
        self._lies[method] = told

    def clear(self) -> None:
        """No more faults and lies; stuck nonces stay stuck."""
        self._faults.clear()
        self._standing.clear()
        self._lies.clear()

    def stick(self, sender: str, nonce: int) -> None:
        """Transactions of this nonce are shown as pending, replaceable under geth's rule, and never mined."""
        self._stuck.add((sender.lower(), nonce))

    async def release(self) -> None:
        """Hands every kept transaction to the node and sticks no nonce any more."""
        kept, self._kept = self._kept, {}
        self._stuck.clear()
        for transaction in sorted(kept.values(), key=lambda pooled: pooled.nonce):
            await self._ask({"jsonrpc": "2.0", "id": 1, "method": SEND, "params": [transaction.raw]})

    def count(self, method: str) -> int:
        """How often `method` was called."""
        return sum(call.method == method for call in self.calls)

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        body: Answer | list[Answer] = await request.json()
        if isinstance(body, dict):
            return await self._one(request, body)
        # A batch meets the rules and lies, not the faults: those are scripted per HTTP call.
        answers = [self._told(item, await self._ruled(self._record(item))) for item in body]
        return web.json_response(answers)

    async def _one(self, request: web.Request, body: Answer) -> web.StreamResponse:
        fault = self._next_fault(str(self._record(body)["method"]))

        async def ask() -> Answer:
            return self._told(body, await self._ruled(body))

        if fault is None:
            return web.json_response(await ask())
        return await fault.meet(Exchange(request=request, body=body, ask=ask, closing=self._closing))

    def _record(self, body: Answer) -> Answer:
        self.calls.append(Call(method=str(body["method"]), params=_params(body)))
        return body

    def _next_fault(self, method: str) -> Fault | None:
        queued = self._faults[method]
        return queued.popleft() if queued else self._standing.get(method)

    def _told(self, body: Answer, answer: Answer) -> Answer:
        lie = self._lies.get(str(body["method"]))
        if lie is None or "result" not in answer:
            return answer
        return {**answer, "result": lie(_params(body), answer["result"])}

    async def _ruled(self, body: Answer) -> Answer:
        match body["method"]:
            case "eth_sendRawTransaction":
                return await self._submit(body)
            case "eth_getTransactionByHash":
                kept = next((tx for tx in self._kept.values() if tx.tx_hash == _first_param(body)), None)
                return await self._ask(body) if kept is None else _result(body, _as_pending(kept))
            case "eth_getTransactionCount":
                return self._count_kept(body, await self._ask(body))
            case _:
                return await self._ask(body)

    async def _submit(self, body: Answer) -> Answer:
        transaction = geth_rules.parse(_first_param(body))
        if transaction is None:
            return await self._ask(body)
        slot = (transaction.sender, transaction.nonce)
        pooled = self._kept.get(slot) or await self._pooled(*slot)
        refused = None if pooled is None else geth_rules.objection(pooled, transaction)
        if refused is not None:
            return _error(body, *refused)
        if slot in self._stuck:
            self._kept[slot] = transaction
            return _result(body, transaction.tx_hash)
        answer = await self._ask(body)
        if "result" in answer:
            self.accepted_ms.setdefault(transaction.tx_hash, time.time_ns() / 1e6)
        return answer

    def _count_kept(self, body: Answer, answer: Answer) -> Answer:
        """The pending count goes past what is kept, as it would if the node itself had it."""
        if "pending" not in _params(body) or "result" not in answer:
            return answer
        count = int(str(answer["result"]), 16)
        while (_first_param(body).lower(), count) in self._kept:
            count += 1
        return {**answer, "result": hex(count)}

    async def _pooled(self, sender: str, nonce: int) -> PooledTransaction | None:
        answer = await self._ask({"jsonrpc": "2.0", "id": 1, "method": "txpool_content", "params": []})
        content = answer["result"]
        assert isinstance(content, dict)
        for part in content.values():
            by_sender = {} if not isinstance(part, dict) else {who.lower(): txs for who, txs in part.items()}
            of_sender = by_sender.get(sender)
            found = of_sender.get(str(nonce)) if isinstance(of_sender, dict) else None
            if isinstance(found, dict) and "maxFeePerGas" in found:
                return PooledTransaction(
                    sender=sender,
                    nonce=nonce,
                    max_fee_per_gas_wei=int(str(found["maxFeePerGas"]), 16),
                    max_priority_fee_per_gas_wei=int(str(found["maxPriorityFeePerGas"]), 16),
                    tx_hash=str(found["hash"]),
                    raw="",
                )
        return None

    async def _ask(self, body: Answer) -> Answer:
        async with self._client.post(self._upstream, json=body) as response:
            answer: Answer = json.loads(await response.read())
            return answer


def _params(body: Answer) -> list[Json]:
    params = body.get("params", [])
    return params if isinstance(params, list) else []


def _first_param(body: Answer) -> str:
    params = _params(body)
    return str(params[0]) if params else ""


def _result(body: Answer, result: Json) -> Answer:
    return {"jsonrpc": "2.0", "id": body.get("id"), "result": result}


def _error(body: Answer, code: int, message: str) -> Answer:
    return {"jsonrpc": "2.0", "id": body.get("id"), "error": {"code": code, "message": message}}


def _as_pending(transaction: PooledTransaction) -> Json:
    return {
        "hash": transaction.tx_hash,
        "from": transaction.sender,
        "nonce": hex(transaction.nonce),
        "blockHash": None,
        "blockNumber": None,
        "maxFeePerGas": hex(transaction.max_fee_per_gas_wei),
        "maxPriorityFeePerGas": hex(transaction.max_priority_fee_per_gas_wei),
        "type": "0x2",
    }
