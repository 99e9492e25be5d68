"""Prices as a port. A price says after which block it was read; there is no average and no guess."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Protocol

from trader.domain.assets import Asset


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """Two ERC-20 assets; the price is units of `quote` for one unit of `base`."""

    base: Asset
    quote: Asset


@dataclass(frozen=True, slots=True, kw_only=True)
class PricePoint:
    """A price at one block."""

    pair: Pair
    price: Decimal
    block_number: int


class PriceFeed(Protocol):
    """Reads prices from pools. Raises ChainUnavailableError when the node gives no usable answer."""

    async def price(self, pair: Pair, block_number: int) -> PricePoint:
        """Price after the given block."""
        ...
