"""What an account holds, as the signer's own node shows it. Asked only while the account hands over."""

from typing import Protocol

from signer.domain.accounts import Address


class Holdings(Protocol):
    """Reads at a block. Every method raises UnavailableError when the node is away or answers nonsense."""

    async def native_balance(self, owner: Address, block_number: int) -> int:
        """Native coin, wei."""
        ...

    async def token_balance(self, token: Address, owner: Address, block_number: int) -> int:
        """ERC-20 `balanceOf`, base units; 0 where there is no contract."""
        ...

    async def allowance(self, token: Address, owner: Address, spender: Address, block_number: int) -> int:
        """ERC-20 `allowance`, base units; 0 where there is no contract."""
        ...

    async def gas_needed(self, sender: Address, to: Address, data: bytes) -> int | None:
        """Gas that the call would take now, without a margin; None when it would fail."""
        ...
