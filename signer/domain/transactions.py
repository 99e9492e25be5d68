"""Transactions before and after signing. Plain values; encoding them is `decode.evm.envelope`'s work."""

from dataclasses import dataclass, field
from typing import NewType

from signer.domain.accounts import Address

TransactionId = NewType("TransactionId", str)
"""The signer's own id of a transaction: 32 hex digits."""

IdempotencyKey = NewType("IdempotencyKey", str)
"""Made and persisted by the client before it asks: 16 to 64 characters of [A-Za-z0-9_-]."""

ClientName = NewType("ClientName", str)
"""Identity of a client: the one URI or DNS SAN of its certificate."""

UINT256_MAX = 2**256 - 1
MAX_CALLDATA_BYTES = 16 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class EvmPayload:
    """What a client asks to have signed: EIP-1559 without chain id and nonce, which are the signer's own."""

    to: Address
    value_wei: int
    data: bytes
    gas_limit: int
    max_fee_per_gas_wei: int
    max_priority_fee_per_gas_wei: int

    @property
    def worst_fee_wei(self) -> int:
        """Most that inclusion can cost, wei."""
        return self.gas_limit * self.max_fee_per_gas_wei


@dataclass(frozen=True, slots=True, kw_only=True)
class UnsignedEvmTransaction:
    """An EIP-1559 transaction, complete but for its signature."""

    chain_id: int
    nonce: int
    payload: EvmPayload


@dataclass(frozen=True, slots=True, kw_only=True)
class EvmSignature:
    """ECDSA signature over secp256k1 in low-s form (EIP-2)."""

    r: int
    s: int
    y_parity: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedBytes:
    """A signed transaction as it goes to a node.

    `raw` is broadcastable: it never reaches a log, an error or the audit file.
    """

    raw: bytes = field(repr=False)
    hash: str
