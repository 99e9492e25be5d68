from dataclasses import replace

import pytest

from tests.fakes.trade import NOW, new_approval, new_order, order_in
from trader.domain.orders import OrderState
from trader.portfolio.limits import reserve_guard


def test_the_order_s_own_buy_counts_before_it_is_made() -> None:
    guard = reserve_guard(order_in(OrderState.QUOTED), max_position=5_000, cooldown_ms=0, now=NOW)

    assert guard.exposure_at_most == 3_000
    assert guard.quiet_since is None


def test_the_cool_down_reaches_back_from_now() -> None:
    guard = reserve_guard(order_in(OrderState.QUOTED), max_position=None, cooldown_ms=30_000, now=NOW)

    assert guard.exposure_at_most is None
    assert guard.quiet_since == NOW - 30_000


def test_an_approval_is_not_limited_because_it_buys_nothing() -> None:
    order = order_in(OrderState.QUOTED, new_approval(new_order()))

    guard = reserve_guard(order, max_position=0, cooldown_ms=30_000, now=NOW)

    assert guard.exposure_at_most is None
    assert guard.quiet_since is None


def test_an_order_without_a_quote_cannot_be_judged() -> None:
    with pytest.raises(ValueError, match="only a quoted order"):
        reserve_guard(
            replace(order_in(OrderState.INTENT), quote=None), max_position=1, cooldown_ms=0, now=NOW
        )
