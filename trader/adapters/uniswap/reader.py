"""What a venue needs of a node: the head, and a call at that very block."""

from typing import Protocol

from trader.domain.ids import Address
from trader.ports.chain import Block


class ContractReader(Protocol):
    """Reads contracts. Raises ChainUnavailableError, and CallRevertedError when the contract reverts."""

    async def head(self) -> Block:
        """Latest block."""
        ...

    async def call(self, to: Address, data: bytes, block_number: int | None) -> bytes:
        """Result of a call after the given block."""
        ...
