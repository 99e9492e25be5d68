"""The Chain port over one node. Reads are repeated within bounds; a broadcast is sent once."""

from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import asynccontextmanager

from eth_utils.crypto import keccak

from trader.adapters.evm_rpc import parse
from trader.adapters.evm_rpc.broadcast import classify
from trader.adapters.evm_rpc.errors import NonsenseError, NotSentError, RpcRefusedError
from trader.adapters.evm_rpc.retry import retried
from trader.adapters.evm_rpc.transport import JsonRpc
from trader.adapters.uniswap import erc20
from trader.domain.errors import ChainUnavailableError, ConfigurationError
from trader.domain.ids import Address, ChainName
from trader.ports.chain import Block, Broadcast, BroadcastOutcome, Receipt, SentTransaction
from trader.ports.clock import Clock

_HEADER_ONLY, _WHOLE = False, True  # eth_getBlockByNumber: hashes, or whole transactions
_SEND_BACKOFF_MS = 200
_SEND_ATTEMPTS = 2


class EvmNode:
    """One chain through one node. Raises ChainUnavailableError as the port says."""

    def __init__(self, rpc: JsonRpc, clock: Clock) -> None:
        self._rpc, self._clock = rpc, clock

    async def use(self, url: str) -> None:
        """Ask there from now on: an access key in the URL was changed."""
        self._rpc.use(url)

    async def chain_name(self) -> ChainName:
        """CAIP-2 name of the chain that the node follows."""
        return ChainName(f"eip155:{parse.quantity(await self._read('eth_chainId'), 'chain id')}")

    async def head(self) -> Block:
        """Latest block."""
        return parse.block(await self._read("eth_getBlockByNumber", "latest", _HEADER_ONLY))

    async def finalized(self) -> Block:
        """Latest finalized block."""
        return parse.block(await self._read("eth_getBlockByNumber", "finalized", _HEADER_ONLY))

    async def block_hash(self, number: int) -> str | None:
        """Canonical hash at a height, or None."""
        answer = await self._read("eth_getBlockByNumber", hex(number), _HEADER_ONLY)
        return None if answer is None else parse.block(answer).hash

    async def transaction_count(self, address: Address, block_number: int) -> int:
        """Nonce of the account after the given block."""
        return parse.quantity(
            await self._read("eth_getTransactionCount", address, hex(block_number)), "transaction count"
        )

    async def receipt(self, transaction_hash: str) -> Receipt | None:
        """Receipt in the canonical chain, or None when the node knows none."""
        return parse.receipt(
            await self._read("eth_getTransactionReceipt", transaction_hash), transaction_hash
        )

    async def sent_from(self, senders: Collection[Address], block_number: int) -> Sequence[SentTransaction]:
        """Transactions of a block that one of `senders` sent."""
        answer = await self._read("eth_getBlockByNumber", hex(block_number), _WHOLE)
        return parse.sent_transactions(answer, block_number, senders)

    async def native_balance(self, address: Address, block_number: int) -> int:
        """Wei."""
        return parse.quantity(await self._read("eth_getBalance", address, hex(block_number)), "balance")

    async def token_balance(self, token: Address, address: Address, block_number: int) -> int:
        """ERC-20 balance in base units."""
        return _word(await self.call(token, erc20.balance_of(address), block_number), f"balance of {token}")

    async def allowance(self, token: Address, owner: Address, spender: Address) -> int:
        """ERC-20 allowance at the latest block, base units."""
        return _word(await self.call(token, erc20.allowance(owner, spender), None), f"allowance of {token}")

    async def priority_fee_per_gas_wei(self) -> int:
        """What the node suggests as priority fee."""
        return parse.quantity(await self._read("eth_maxPriorityFeePerGas"), "priority fee")

    async def call(self, to: Address, data: bytes, block_number: int | None) -> bytes:
        """`eth_call` after a block (None: the latest); CallRevertedError when the contract reverts."""
        at = "latest" if block_number is None else hex(block_number)
        answer = await self._read("eth_call", {"to": to, "data": "0x" + data.hex()}, at)
        return parse.data(answer, "result of eth_call")

    async def broadcast(self, raw: bytes, transaction_hash: str) -> Broadcast:
        """Hand signed bytes to the node; never raises for what the node or the network does.

        Sent once: a lost answer is UNKNOWN. Only a refused connection is tried again: nothing was sent.
        """
        if "0x" + keccak(raw).hex() != transaction_hash:
            raise ValueError(f"the bytes are not those of {transaction_hash}")  # ours, so it may not pass
        for left in reversed(range(_SEND_ATTEMPTS)):
            try:
                answer = await self._rpc.request("eth_sendRawTransaction", "0x" + raw.hex())
            except RpcRefusedError as error:
                return Broadcast(outcome=classify(error.message), detail=str(error))
            except NotSentError as error:
                if not left:
                    return Broadcast(outcome=BroadcastOutcome.UNKNOWN, detail=str(error))
                await self._clock.sleep_ms(_SEND_BACKOFF_MS)
            except ChainUnavailableError as error:
                return Broadcast(outcome=BroadcastOutcome.UNKNOWN, detail=str(error))
            else:
                return _accepted(answer, transaction_hash)
        raise AssertionError("unreachable: the last attempt returns")

    async def _read(self, method: str, *params: object) -> object:
        return await retried(self._clock, lambda: self._rpc.request(method, *params))


@asynccontextmanager
async def evm_node(url: str, clock: Clock, *, timeout_ms: int = 5_000) -> AsyncIterator[EvmNode]:
    """A node to be closed at the end of the block."""
    async with JsonRpc(url, timeout_ms=timeout_ms) as rpc:
        yield EvmNode(rpc, clock)


async def check_chain(node: EvmNode, expected: ChainName) -> None:
    """Raise ConfigurationError unless the node follows the expected chain."""
    actual = await node.chain_name()
    if actual != expected:
        raise ConfigurationError(f"rpc_url: the node follows {actual}, the wallet lives on {expected}")


def _accepted(answer: object, transaction_hash: str) -> Broadcast:
    """A node that answers with another hash took something, but nobody knows what."""
    try:
        told = parse.hash32(answer, "transaction hash")
    except NonsenseError as error:
        return Broadcast(outcome=BroadcastOutcome.UNKNOWN, detail=str(error))
    if told != transaction_hash:
        return Broadcast(outcome=BroadcastOutcome.UNKNOWN, detail=f"the node answered with the hash {told}")
    return Broadcast(outcome=BroadcastOutcome.ACCEPTED, detail="")


def _word(answer: bytes, what: str) -> int:
    try:
        return erc20.word(answer)
    except ValueError as error:
        raise NonsenseError(f"{what}: {error}") from None
