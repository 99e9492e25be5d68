"""Assets and their scale.

Amounts stay integers of base units; a price is a Decimal under an explicit context.
"""

from dataclasses import dataclass
from decimal import Context, Decimal, InvalidOperation, Overflow

from trader.domain.ids import AssetId

PRICE_CONTEXT = Context(prec=60, Emax=200, Emin=-200, traps=[InvalidOperation, Overflow])
"""Enough digits for a ratio of two uint256 shown to a person.

The default of 28 would round money in silence.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asset:
    """A token or coin; `decimals` says where people put the point."""

    id: AssetId
    symbol: str
    decimals: int

    def in_units(self, amount: int) -> Decimal:
        """Amount of base units as people write it, exactly."""
        return Decimal(amount).scaleb(-self.decimals, context=PRICE_CONTEXT)


def price(amount_quote: int, quote: Asset, amount_base: int, base: Asset) -> Decimal:
    """Units of `quote` for one unit of `base`. Raises ValueError when `amount_base` is not positive."""
    if amount_base <= 0:
        raise ValueError(
            f"no price from {amount_base} base units of {base.symbol}: a positive amount is needed"
        )
    return PRICE_CONTEXT.divide(quote.in_units(amount_quote), base.in_units(amount_base))
