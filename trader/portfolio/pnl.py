"""Average cost and realised profit of positions, in whole base units. Never rounds in our favour."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from trader.domain.ids import AssetId


@dataclass(frozen=True, slots=True, kw_only=True)
class BookedSwap:
    """One settled swap, as the ledger has it; base units."""

    asset_in: AssetId
    asset_out: AssetId
    spent: int
    received: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Position:
    """What trading against the base asset left. `held` in `asset`; `cost` and `realised` in the base."""

    asset: AssetId
    held: int
    cost: int
    realised: int


def positions(swaps: Iterable[BookedSwap], base: AssetId) -> Sequence[Position]:
    """Fold swaps, oldest first. Swaps that do not have `base` on one side are left out."""
    book: dict[AssetId, Position] = {}
    for swap in swaps:
        if swap.asset_in == base and swap.asset_out != base:
            position = _position(book, swap.asset_out)
            book[swap.asset_out] = replace(
                position, held=position.held + swap.received, cost=position.cost + swap.spent
            )
        elif swap.asset_out == base and swap.asset_in != base:
            book[swap.asset_in] = _sold(_position(book, swap.asset_in), swap)
    return tuple(book.values())


def _sold(position: Position, swap: BookedSwap) -> Position:
    """Units held before the first buy have no known cost: their proceeds are all realised."""
    sold = min(swap.spent, position.held)
    # Rounded up: the cost that leaves is never understated, so profit is never overstated.
    cost = -(-position.cost * sold // position.held) if position.held else 0
    return replace(
        position,
        held=position.held - sold,
        cost=position.cost - cost,
        realised=position.realised + swap.received - cost,
    )


def _position(book: dict[AssetId, Position], asset: AssetId) -> Position:
    return book.get(asset, Position(asset=asset, held=0, cost=0, realised=0))
