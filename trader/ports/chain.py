"""A chain as a port.

Reads, and the one write, `broadcast`. Retries belong to the implementation and are bounded.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from trader.domain.ids import Address


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """A block of the canonical chain; `timestamp_s` in unix seconds."""

    number: int
    hash: str
    timestamp_s: int
    base_fee_per_gas_wei: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TransferLog:
    """One ERC-20 Transfer event of a receipt; amount in base units."""

    token: Address
    sender: Address
    recipient: Address
    amount: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """Inclusion of a transaction. `fee_paid_wei` = gas used x effective gas price."""

    transaction_hash: str
    block_number: int
    block_hash: str
    reverted: bool
    fee_paid_wei: int
    transfers: tuple[TransferLog, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class SentTransaction:
    """A transaction of a block. `recipient` is None for the creation of a contract."""

    transaction_hash: str
    sender: Address
    recipient: Address | None
    nonce: int
    value_wei: int


class BroadcastOutcome(StrEnum):
    """What a node said to the bytes.

    Only ACCEPTED and KNOWN are sure; nothing here proves that they will not be mined.
    """

    ACCEPTED = "accepted"
    KNOWN = "known"
    NONCE_USED = "nonce_used"
    UNDERPRICED = "underpriced"
    REJECTED = "rejected"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Broadcast:
    """Outcome with the node's words for people."""

    outcome: BroadcastOutcome
    detail: str


class Chain(Protocol):
    """One chain.

    Every method but `broadcast` raises ChainUnavailableError when the node gives no usable answer.
    """

    async def head(self) -> Block:
        """Latest block."""
        ...

    async def finalized(self) -> Block:
        """Latest finalized block."""
        ...

    async def block_hash(self, number: int) -> str | None:
        """Canonical hash at a height, or None."""
        ...

    async def transaction_count(self, address: Address, block_number: int) -> int:
        """Nonce of the account after the given block."""
        ...

    async def receipt(self, transaction_hash: str) -> Receipt | None:
        """Receipt in the canonical chain, or None when the node knows none."""
        ...

    async def sent_from(self, senders: Collection[Address], block_number: int) -> Sequence[SentTransaction]:
        """Transactions of a block that one of `senders` sent."""
        ...

    async def native_balance(self, address: Address, block_number: int) -> int:
        """Wei."""
        ...

    async def token_balance(self, token: Address, address: Address, block_number: int) -> int:
        """ERC-20 balance in base units."""
        ...

    async def allowance(self, token: Address, owner: Address, spender: Address) -> int:
        """ERC-20 allowance at the latest block, base units."""
        ...

    async def priority_fee_per_gas_wei(self) -> int:
        """What the node suggests as priority fee."""
        ...

    async def broadcast(self, raw: bytes, transaction_hash: str) -> Broadcast:
        """Hand signed bytes to the node; never raises for what the node or the network does."""
        ...
