"""A chain as one node shows it; the head is shared for a moment. Believes no answer of the wrong shape."""

from collections.abc import Callable
from typing import TypeVar

from signer.adapters.evm_rpc.hexadecimal import block_or_transaction_hash, quantity
from signer.adapters.evm_rpc.single_flight import SingleFlight
from signer.adapters.json_rpc.transport import Json, JsonRpc
from signer.domain.accounts import Address
from signer.domain.chain import Head, Receipt
from signer.domain.errors import UnavailableError
from signer.domain.reasons import FailReason
from signer.ports.clock import Clock

Parsed = TypeVar("Parsed")


class EvmChainView:
    """`ChainView` over JSON-RPC. Confirms the node's chain id first, and again after it was out of reach."""

    def __init__(self, rpc: JsonRpc, *, chain_id: int, head_max_age_ms: int, clock: Clock) -> None:
        self._rpc = rpc
        self._chain_id = chain_id
        self._head_max_age_ms = head_max_age_ms
        self._ask_ahead_ms = head_max_age_ms * 3 // 4
        self._clock = clock
        self._head: Head | None = None
        self._flights: SingleFlight[str, Head] = SingleFlight()
        self._confirmed = False

    async def chain_id(self) -> int:
        """EIP-155 chain id that the node says."""
        return await self._ask("eth_chainId", parse=quantity)

    async def head(self) -> Head:
        """Latest block, at most `head_max_age_ms` old.

        Under load nobody waits for the node: the next head is asked for while this one is still believed.
        """
        head, now = self._head, self._clock.now()
        if head is None or not 0 <= now - head.seen_at <= self._head_max_age_ms:
            return await self._flights.ask("latest", self._fetch_head)
        if now - head.seen_at > self._ask_ahead_ms:
            self._flights.begin("latest", self._fetch_head)
        return head

    async def finalized(self) -> Head:
        """Latest finalized block."""
        return await self._flights.ask("finalized", lambda: self._block("finalized"))

    async def block_hash(self, number: int) -> str | None:
        """Canonical hash at a height, or None when there is no such block."""

        def parse(value: Json) -> str | None:
            if value is None:
                return None
            block = _fields(value)
            if quantity(block.get("number")) != number:
                raise ValueError("another block than the one asked for")
            return block_or_transaction_hash(block.get("hash"))

        return await self._ask("eth_getBlockByNumber", hex(number), False, parse=parse)  # noqa: FBT003 - JSON-RPC's

    async def transaction_count(self, address: Address, block_number: int) -> int:
        """Nonce of the account after the given block."""
        return await self._ask("eth_getTransactionCount", address, hex(block_number), parse=quantity)

    async def receipt(self, transaction_hash: str) -> Receipt | None:
        """Receipt in the canonical chain, or None when the node knows none."""

        def parse(value: Json) -> Receipt | None:
            return None if value is None else _receipt(_fields(value), transaction_hash)

        return await self._ask("eth_getTransactionReceipt", transaction_hash, parse=parse)

    async def _fetch_head(self) -> Head:
        await self._confirm()
        head = await self._block("latest")
        self._head = head
        return head

    async def _block(self, tag: str) -> Head:
        # The age counts from the question: an answer may have been on its way for long.
        asked_at = self._clock.now()

        def parse(value: Json) -> Head:
            block = _fields(value)
            return Head(
                number=quantity(block.get("number")),
                hash=block_or_transaction_hash(block.get("hash")),
                timestamp_s=quantity(block.get("timestamp")),
                base_fee_per_gas_wei=quantity(block.get("baseFeePerGas")),
                seen_at=asked_at,
            )

        return await self._ask("eth_getBlockByNumber", tag, False, parse=parse)  # noqa: FBT003 - JSON-RPC's

    async def _confirm(self) -> None:
        """Make sure that the node is on our chain: its address may have been pointed at another one."""
        if self._confirmed:
            return
        actual = await self.chain_id()
        if actual != self._chain_id:
            text = f"node {self._rpc.host} is on chain {actual}; {self._chain_id} is configured"
            raise UnavailableError(FailReason.CHAIN_UNREACHABLE, text)
        self._confirmed = True

    async def _ask(self, method: str, *params: Json, parse: Callable[[Json], Parsed]) -> Parsed:
        try:
            return await self._rpc.read(method, *params, parse=parse)
        except UnavailableError:
            self._confirmed = False  # whoever answers next may be another node
            raise


def _fields(value: Json) -> dict[str, Json]:
    if not isinstance(value, dict):
        raise ValueError(f"{str(value)[:80]!r} is no object")  # noqa: TRY004 - one error for every wrong answer
    return value


def _receipt(fields: dict[str, Json], transaction_hash: str) -> Receipt:
    if block_or_transaction_hash(fields.get("transactionHash")) != transaction_hash:
        raise ValueError("the receipt of another transaction")
    status = quantity(fields.get("status"))
    if status not in {0, 1}:
        raise ValueError(f"status {status}")
    return Receipt(
        transaction_hash=transaction_hash,
        block_number=quantity(fields.get("blockNumber")),
        block_hash=block_or_transaction_hash(fields.get("blockHash")),
        reverted=status == 0,
        fee_paid_wei=quantity(fields.get("gasUsed")) * quantity(fields.get("effectiveGasPrice")),
    )
