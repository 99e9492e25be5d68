"""A chain as the signer's own node shows it. Reads only."""

from typing import Protocol

from signer.domain.accounts import Address
from signer.domain.chain import Head, Receipt


class ChainView(Protocol):
    """One chain. Every method raises UnavailableError when the node is out of reach or answers nonsense."""

    async def chain_id(self) -> int:
        """EIP-155 chain id that the node says."""
        ...

    async def head(self) -> Head:
        """Latest block, at most `head_max_age_ms` old (a setting of the implementation)."""
        ...

    async def finalized(self) -> Head:
        """Latest finalized block."""
        ...

    async def block_hash(self, number: int) -> str | None:
        """Canonical hash at a height, or None when there is no such block."""
        ...

    async def transaction_count(self, address: Address, block_number: int) -> int:
        """Nonce of the account after the given block."""
        ...

    async def receipt(self, transaction_hash: str) -> Receipt | None:
        """Receipt in the canonical chain, or None when the node knows none."""
        ...
