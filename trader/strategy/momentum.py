"""Momentum: buys what rose over a window of blocks, sells what fell; refuses to trade on half a window.

Position-aware: a sale is at most what is held, a purchase at most what is free, one order open at a time.
"""

from dataclasses import dataclass, replace
from decimal import Decimal

from trader.domain.assets import PRICE_CONTEXT
from trader.domain.ids import AssetId
from trader.domain.time import UnixMs
from trader.strategy.signals import Signal, Snapshot

_BPS = Decimal(10_000)
_SHORTEST_WINDOW = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class MomentumRules:
    """`window` prices are compared, oldest with newest; `threshold_bps` is the move that counts.

    `buy_amount` is base units of the quote asset spent at once, `sell_amount` base units of the base asset.
    """

    base: AssetId
    quote: AssetId
    window: int
    threshold_bps: int
    buy_amount: int
    sell_amount: int
    cooldown_ms: int

    def __post_init__(self) -> None:
        if self.window < _SHORTEST_WINDOW or min(self.threshold_bps, self.buy_amount, self.sell_amount) < 1:
            raise ValueError(
                f"window {self.window}, threshold {self.threshold_bps} bps, amounts {self.buy_amount} and"
                f" {self.sell_amount}: a window of 2 or more and positive numbers are allowed"
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class MomentumState:
    """Newest prices, oldest first, and when the last signal was given."""

    prices: tuple[Decimal, ...] = ()
    signalled_at: UnixMs | None = None


def decide(
    rules: MomentumRules, state: MomentumState, snapshot: Snapshot, now: UnixMs
) -> tuple[MomentumState, tuple[Signal, ...]]:
    """Next state, and at most one signal. A signal empties the window: the next one needs a new move."""
    state = replace(state, prices=(*state.prices, snapshot.price)[-rules.window :])
    if len(state.prices) < rules.window or snapshot.in_flight or _cooling(rules, state, now):
        return state, ()
    signal = _signal(rules, snapshot, move_bps(state.prices[0], state.prices[-1]))
    if signal is None:
        return state, ()
    return MomentumState(prices=(snapshot.price,), signalled_at=now), (signal,)


def move_bps(oldest: Decimal, newest: Decimal) -> Decimal:
    """Relative move in basis points."""
    if oldest <= 0:
        raise ValueError(f"a price of {oldest}: more than zero is allowed")
    change = PRICE_CONTEXT.subtract(newest, oldest)
    return PRICE_CONTEXT.divide(PRICE_CONTEXT.multiply(change, _BPS), oldest)


def _signal(rules: MomentumRules, snapshot: Snapshot, move: Decimal) -> Signal | None:
    why = f"moved {move:.1f} bps over {rules.window} blocks"
    if move >= rules.threshold_bps and snapshot.free_quote >= rules.buy_amount:
        return Signal(asset_in=rules.quote, asset_out=rules.base, amount_in=rules.buy_amount, why=why)
    amount = min(rules.sell_amount, snapshot.free_base)
    if move <= -rules.threshold_bps and amount > 0:
        return Signal(asset_in=rules.base, asset_out=rules.quote, amount_in=amount, why=why)
    return None


def _cooling(rules: MomentumRules, state: MomentumState, now: UnixMs) -> bool:
    return state.signalled_at is not None and now - state.signalled_at < rules.cooldown_ms
