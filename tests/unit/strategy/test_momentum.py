"""Momentum buys what rose, sells what fell, and never more than there is."""

from decimal import Decimal

import pytest

from trader.domain.ids import AssetId
from trader.domain.time import UnixMs
from trader.strategy.momentum import MomentumRules, MomentumState, decide, move_bps
from trader.strategy.signals import Signal, Snapshot

BASE, QUOTE = AssetId("eip155:1/erc20:base"), AssetId("eip155:1/erc20:quote")
RULES = MomentumRules(
    base=BASE, quote=QUOTE, window=3, threshold_bps=10, buy_amount=100, sell_amount=50, cooldown_ms=1_000
)


def _run(
    prices: list[str], *, free_base: int = 1_000, free_quote: int = 1_000, in_flight: bool = False
) -> list[Signal]:
    state = MomentumState()
    signals: list[Signal] = []
    for number, price in enumerate(prices):
        snapshot = Snapshot(
            price=Decimal(price),
            block_number=number,
            free_base=free_base,
            free_quote=free_quote,
            in_flight=in_flight,
        )
        state, made = decide(RULES, state, snapshot, UnixMs(number * 100))
        signals += made
    return signals


def test_a_rise_over_the_window_buys_base_with_quote() -> None:
    (signal,) = _run(["1000", "1000.5", "1001"])

    assert (signal.asset_in, signal.asset_out, signal.amount_in) == (QUOTE, BASE, 100)


def test_a_fall_sells_what_is_held_and_no_more() -> None:
    (signal,) = _run(["1000", "999.5", "999"], free_base=20)

    assert (signal.asset_in, signal.asset_out, signal.amount_in) == (BASE, QUOTE, 20)


@pytest.mark.parametrize(
    "prices", [["1000", "1001"], ["1000", "1000.4", "1000.9"], ["1000", "1005", "1000"]], ids=str
)
def test_half_a_window_and_small_moves_do_nothing(prices: list[str]) -> None:
    assert _run(prices) == []


def test_an_order_in_flight_or_missing_funds_do_nothing() -> None:
    assert _run(["1000", "1001", "1002"], in_flight=True) == []
    assert _run(["1000", "1001", "1002"], free_quote=99) == []
    assert _run(["1000", "999", "998"], free_base=0) == []


def test_the_window_starts_anew_after_a_signal_and_the_cooldown_holds() -> None:
    rising = [str(1000 + 2 * step) for step in range(14)]

    assert len(_run(rising)) == 2


def test_a_move_of_exactly_the_threshold_counts() -> None:
    assert move_bps(Decimal(1000), Decimal(1001)) == 10
    assert len(_run(["1000", "1000", "1001"])) == 1


@pytest.mark.parametrize(("field", "value"), [("window", 1), ("threshold_bps", 0), ("buy_amount", 0)])
def test_rules_that_make_no_sense_are_refused(field: str, value: int) -> None:
    fields = {name: getattr(RULES, name) for name in MomentumRules.__dataclass_fields__}
    with pytest.raises(ValueError, match="are allowed"):
        MomentumRules(**{**fields, field: value})


def test_a_price_of_zero_is_refused() -> None:
    with pytest.raises(ValueError, match="more than zero"):
        move_bps(Decimal(0), Decimal(1))
