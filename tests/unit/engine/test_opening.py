"""How a signal becomes an order: reserved at once where it can be, an intent otherwise; never nothing."""

import pytest

from tests.unit.engine.conftest import Scene
from trader.domain.orders import OrderEvent, OrderState
from trader.engine.opening import open_order
from trader.ports.order_store import ReserveRefusal


async def test_an_order_that_needs_no_allowance_is_reserved_from_its_first_moment(scene: Scene) -> None:
    new = scene.new_order(live=False)
    await open_order(scene.desk, new)

    assert scene.store.rows[new.id].state is OrderState.RESERVED
    assert scene.store.events == [OrderEvent.QUOTE_MADE, OrderEvent.FUNDS_RESERVED]
    assert await scene.state_after(new.id) is OrderState.EXPIRED
    assert scene.store.rows[new.id].reason == "dry run: the signer would sign"


async def test_a_live_swap_is_an_intent_and_not_quoted_before_its_allowance(scene: Scene) -> None:
    new = scene.new_order()
    await open_order(scene.desk, new)

    assert scene.store.rows[new.id].state is OrderState.INTENT
    assert scene.venue.asked == 0


@pytest.mark.parametrize("hindrance", ["no route", "no node", "no funds"])
async def test_what_stands_against_an_order_never_loses_the_signal(scene: Scene, hindrance: str) -> None:
    new = scene.new_order(live=False)
    scene.venue.no_route = "no pool" if hindrance == "no route" else None
    scene.chain.answers = hindrance != "no node"
    scene.store.refusal = ReserveRefusal.INSUFFICIENT_FUNDS if hindrance == "no funds" else None
    await open_order(scene.desk, new)

    assert scene.store.rows[new.id].state is OrderState.INTENT
