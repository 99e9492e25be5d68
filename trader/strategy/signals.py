"""What strategies see and what they say. Values only."""

from dataclasses import dataclass
from decimal import Decimal

from trader.domain.ids import AssetId


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """The market and our position at one block.

    `price` is units of the quote asset for one unit of the base asset; `free_*` are base units to trade with.
    `in_flight`: an order of this pair is open.
    """

    price: Decimal
    block_number: int
    free_base: int
    free_quote: int
    in_flight: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Signal:
    """Trade `amount_in` base units of `asset_in` for `asset_out`; `why` is for people."""

    asset_in: AssetId
    asset_out: AssetId
    amount_in: int
    why: str
