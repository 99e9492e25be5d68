"""A venue as a port: it quotes and builds a transaction, and never signs."""

from dataclasses import dataclass
from typing import Protocol

from trader.domain.ids import Address, AssetId, WalletId
from trader.domain.quotes import Quote, TransactionDraft


@dataclass(frozen=True, slots=True, kw_only=True)
class QuoteRequest:
    """Exact amount in, base units of `asset_in`."""

    wallet: WalletId
    asset_in: AssetId
    asset_out: AssetId
    amount_in: int
    max_slippage_bps: int


@dataclass(frozen=True, slots=True, kw_only=True)
class NoRoute:
    """The venue cannot do this swap; `why` is for people."""

    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Fees:
    """EIP-1559 fees, wei per gas."""

    max_fee_per_gas_wei: int
    max_priority_fee_per_gas_wei: int


class Venue(Protocol):
    """One contract family on one chain.

    `quote` raises ChainUnavailableError when the node gives no answer.
    """

    @property
    def name(self) -> str:
        """`uniswap_v2` or `uniswap_v3`."""
        ...

    async def quote(self, request: QuoteRequest) -> Quote | NoRoute:
        """Price the swap at the latest block."""
        ...

    def build(self, quote: Quote, fees: Fees, deadline_s: int) -> TransactionDraft:
        """The swap of `quote`, paid to the quote's own wallet; reverts after `deadline_s` (unix s)."""
        ...


class Transfers(Protocol):
    """Builds transfers to another wallet of ours."""

    def build(
        self, token: Address | None, recipient: Address, amount: int, fees: Fees, deadline_s: int
    ) -> TransactionDraft:
        """Move `amount` base units of a token, or wei where `token` is None.

        `deadline_s` (unix seconds) is our own: after it the engine cancels.
        """
        ...


class TokenApprovals(Protocol):
    """Builds the approval that a swap needs first; exact amounts only."""

    def build(
        self, token: Address, spender: Address, amount: int, fees: Fees, deadline_s: int
    ) -> TransactionDraft:
        """Set the allowance of `spender` to `amount`.

        `deadline_s` (unix seconds) is our own: after it the engine cancels.
        """
        ...
