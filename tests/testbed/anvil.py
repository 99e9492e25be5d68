"""A local Ethereum chain, one anvil process per instance; refuses any address but 127.0.0.1."""

import itertools
import re
import tempfile
from contextlib import AsyncExitStack
from pathlib import Path
from types import TracebackType
from typing import Self

import aiohttp

from tests.testbed import abi, packages
from tests.testbed.packages import Json
from tests.testbed.processes import Child, until

CHAIN_ID = 31337
_RECEIPT_TIMEOUT_S = 60
_GAS_LIMIT = 15_000_000


class RpcError(Exception):
    """The node answered with a JSON-RPC error."""

    def __init__(self, method: str, code: int, message: str, data: Json = None) -> None:
        super().__init__(f"{method}: {code} {message}")
        self.method, self.code, self.message, self.data = method, code, message, data


class Anvil:
    """A chain as an async context manager. Its ten accounts are unlocked, so `send` needs no key.

    `block_time_s` mines on a clock, `no_mining` only on `mine()`, by default each transaction is
    a block. The finalized block trails the head by two.
    """

    def __init__(
        self, *, chain_id: int = CHAIN_ID, block_time_s: float | None = None, no_mining: bool = False
    ) -> None:
        self.chain_id = chain_id
        self._options = [] if block_time_s is None else ["--block-time", str(block_time_s)]
        self._options += ["--no-mining"] if no_mining else []
        self._ids = itertools.count(1)
        self._stack = AsyncExitStack()
        self._child: Child | None = None
        self.url = ""

    async def __aenter__(self) -> Self:
        binary = packages.anvil_binary()
        if binary is None:
            raise FileNotFoundError("anvil is neither on PATH nor in the cache; `make test` fetches it")
        async with AsyncExitStack() as stack:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="airlock-anvil-")))
            # Port 0: anvil picks one that is free and says which, so two test runs cannot race for it.
            argv = [str(binary), "--host", "127.0.0.1", "--port", "0", "--chain-id", str(self.chain_id)]
            argv += ["--slots-in-an-epoch", "1", *self._options]
            self._child = await stack.enter_async_context(Child(argv, log=folder / "anvil.log"))
            await until(self._listens, what="anvil listens")
            self._stack = stack.pop_all()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._stack.aclose()

    @property
    def pid(self) -> int:
        assert self._child is not None
        return self._child.pid

    async def rpc(self, method: str, *params: Json) -> Json:
        """The result of one JSON-RPC call; `RpcError` when the node says no."""
        return await rpc(self.url, method, *params, call_id=next(self._ids))

    async def send(self, sender: str, to: str | None, data: str = "0x", value: int = 0) -> dict[str, Json]:
        """Sends from an unlocked account and returns the receipt; a revert is an `AssertionError`."""
        # An estimate would be made before the block is known: a pool's first swap of a second needs more gas.
        request: dict[str, Json] = {"from": sender, "data": data, "value": hex(value), "gas": hex(_GAS_LIMIT)}
        if to is not None:
            request["to"] = to
        tx_hash = await self.rpc("eth_sendTransaction", request)
        receipt = await self.receipt(str(tx_hash))
        assert receipt["status"] == "0x1", f"reverted: {tx_hash}"
        return receipt

    async def receipt(self, tx_hash: str) -> dict[str, Json]:
        """The receipt, once the transaction is mined."""
        found: list[Json] = [None]

        async def mined() -> bool:
            found[0] = await self.rpc("eth_getTransactionReceipt", tx_hash)
            return found[0] is not None

        await until(mined, what=f"transaction {tx_hash} is mined", timeout_s=_RECEIPT_TIMEOUT_S)
        receipt = found[0]
        assert isinstance(receipt, dict)
        return receipt

    async def call(self, to: str, signature: str, *arguments: object, returns: str) -> tuple[object, ...]:
        """A read at the latest block, as in `call(token, "balanceOf(address)", who, returns="(uint256)")`."""
        data = await self.rpc("eth_call", {"to": to, "data": abi.calldata(signature, *arguments)}, "latest")
        return abi.returned(returns, str(data))

    async def uint(self, to: str, signature: str, *arguments: object) -> int:
        """A read that answers one unsigned integer."""
        (value,) = await self.call(to, signature, *arguments, returns="(uint256)")
        assert isinstance(value, int)
        return value

    async def balance(self, owner: str) -> int:
        """Native balance in wei."""
        return int(str(await self.rpc("eth_getBalance", owner, "latest")), 16)

    async def head(self) -> dict[str, Json]:
        """The latest block."""
        block = await self.rpc("eth_getBlockByNumber", "latest", False)
        assert isinstance(block, dict)
        return block

    async def mine(self, blocks: int = 1) -> None:
        """Mines `blocks` blocks now."""
        await self.rpc("anvil_mine", hex(blocks))

    async def dump_state(self) -> str:
        """The whole chain state, `0x` hex; `load_state` of another anvil takes it."""
        return str(await self.rpc("anvil_dumpState"))

    async def load_state(self, state: str) -> None:
        """Lays a dumped state over this chain."""
        assert await self.rpc("anvil_loadState", state) is True

    async def _listens(self) -> bool:
        assert self._child is not None
        log = self._child.log()
        if self._child.returncode is not None:
            raise RuntimeError(f"anvil ended with exit code {self._child.returncode}: {log[-500:]}")
        listening = re.search(r"Listening on (127\.0\.0\.1:\d+)", log)
        self.url = "" if listening is None else f"http://{listening[1]}"
        return listening is not None


async def rpc(url: str, method: str, *params: Json, call_id: int = 1) -> Json:
    """One JSON-RPC call to any node, on a connection of its own, so that it works on every event loop."""
    request = {"jsonrpc": "2.0", "id": call_id, "method": method, "params": list(params)}
    async with aiohttp.ClientSession() as session, session.post(url, json=request) as response:
        answer: dict[str, Json] = await response.json()
    error = answer.get("error")
    if isinstance(error, dict):
        raise RpcError(method, int(str(error["code"])), str(error["message"]), error.get("data"))
    return answer["result"]
