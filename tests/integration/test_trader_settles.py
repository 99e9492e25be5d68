"""Swaps from intent to books on the real contracts."""

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
import pytest_asyncio

from tests.fakes.fake_signer import Script
from tests.integration.trader_rig import Rig, trader_rig
from tests.testbed.bed import Bed
from tests.testbed.uniswap import ETHER, USDX_UNIT
from trader.domain.orders import OrderState
from trader.ports.order_store import ApprovalState, PortfolioLimits


@pytest_asyncio.fixture
async def rig(bed: Bed) -> AsyncIterator[Rig]:
    async with trader_rig(bed) as made:
        yield made


@pytest.mark.parametrize("venue", ["uniswap_v2", "uniswap_v3", "best"])
async def test_a_swap_settles_and_is_booked_from_its_logs(rig: Rig, venue: str) -> None:
    order = await rig.until(await rig.order(venue))

    assert order.state is OrderState.SETTLED, order.reason
    assert order.quote is not None
    assert (order.amount_spent, order.amount_received) == (1_000 * USDX_UNIT, order.quote.amount_out)
    approval = await rig.store.approval_of(order.id)
    assert approval is not None
    assert approval.state is ApprovalState.CONSUMED
    assert await rig.swaps_on_chain() == 2
    await rig.assert_books_close()


@pytest.mark.parametrize("venue", ["uniswap_v2", "uniswap_v3"])
async def test_both_directions_settle_one_after_the_other(rig: Rig, venue: str) -> None:
    bought = await rig.until(await rig.order(venue))
    sold = await rig.until(await rig.order(venue, ETHER // 10, sell=True))

    assert (bought.state, sold.state) == (OrderState.SETTLED, OrderState.SETTLED)
    await rig.assert_books_close()


async def test_several_swaps_of_one_token_and_router_take_turns(rig: Rig) -> None:
    orders = [await rig.order() for _ in range(3)]
    closed = [await rig.until(order) for order in orders]

    assert [order.state for order in closed] == [OrderState.SETTLED] * 3
    assert await rig.swaps_on_chain() == 6
    await rig.assert_books_close()


async def test_a_swap_does_not_wait_for_the_cool_down_of_its_own_approval(rig: Rig) -> None:
    limits = PortfolioLimits(max_position={}, cooldown_ms=3_600_000)
    rig = replace(rig, desk=replace(rig.desk, config=replace(rig.desk.config, limits=limits)))
    first = await rig.until(await rig.order())
    second = await rig.until(await rig.order())

    assert first.state is OrderState.SETTLED, first.reason
    assert (second.state, second.reason) == (OrderState.REFUSED, "portfolio: cooldown")
    await rig.assert_books_close()


async def test_a_receipt_is_not_booked_before_it_is_final(rig: Rig) -> None:
    rig = rig.restart(confirmations=None)
    order = await rig.order()
    await rig.until(order, OrderState.MINED)
    for _ in range(30):
        await rig.look()
    mined, held = await rig.get(order), await rig.store.balances(rig.wallet)
    await rig.bed.anvil.mine(3)
    settled = await rig.until(order)

    assert mined.state is OrderState.MINED
    assert {balance.asset: balance.reserved for balance in held}[rig.usdx] == 1_000 * USDX_UNIT
    assert settled.state is OrderState.SETTLED


async def test_a_denied_swap_is_refused_with_the_funds_back(rig: Rig) -> None:
    before = await rig.store.balances(rig.wallet)
    rig.signer.script(Script.DENY)
    approval_denied = await rig.until(await rig.order())

    assert approval_denied.state is OrderState.EXPIRED
    assert "SLIPPAGE_TOO_HIGH" in (approval_denied.reason or "")
    assert await rig.store.balances(rig.wallet) == before
    assert await rig.swaps_on_chain() == 0
    await rig.assert_books_close()


async def test_a_swap_that_cannot_be_funded_is_refused_before_the_signer_hears_of_it(rig: Rig) -> None:
    order = await rig.until(await rig.order(amount=200_000 * USDX_UNIT))

    assert order.state in (OrderState.REFUSED, OrderState.EXPIRED)
    assert all(draft.to != rig.bed.world.v2_router for draft in rig.signer.drafts)


async def test_a_dry_run_ends_at_the_verdict_and_changes_nothing(rig: Rig) -> None:
    before = await rig.store.balances(rig.wallet)
    allowed = await rig.until(await rig.order(live=False))
    rig.signer.script(Script.DENY)
    denied = await rig.until(await rig.order(live=False))

    assert (allowed.state, allowed.reason) == (OrderState.EXPIRED, "dry run: the signer would sign")
    assert denied.state is OrderState.REFUSED
    assert rig.signer.signed == []
    assert await rig.store.balances(rig.wallet) == before
    assert await rig.swaps_on_chain() == 0
