"""A wallet of two accounts: which one trades, who takes over, and that it is never both."""

import asyncio
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.integration.group_rig import LEAST, LIFE_MS, GroupRig, group_rig
from tests.testbed.bed import Bed
from tests.testbed.uniswap import ETHER, USDX_UNIT
from trader.domain.ids import OrderId
from trader.domain.orders import OrderKind, OrderState
from trader.engine.groups.group import WhenAway
from trader.engine.groups.hand_over import CANNOT_SIGN, following_id

HOT_MOST = 1_000 * USDX_UNIT
LARGE, SMALL = 5_000 * USDX_UNIT, 200 * USDX_UNIT


@pytest_asyncio.fixture
async def made(bed: Bed) -> AsyncIterator[GroupRig]:
    """The hot account signs small trades only; whoever is asked approves at once."""
    async with group_rig(bed) as rig:
        rig.rig.signer.most[rig.hot] = HOT_MOST
        rig.rig.signer.people.always = "approve"
        yield rig


def _gone(made: GroupRig) -> None:
    made.rig.signer.away[made.device] = "DEVICE_GONE"


async def _placed(made: GroupRig, amount: int) -> OrderId:
    order = await made.place(amount)
    assert order is not None
    return order


async def test_small_trades_are_the_hot_account_s_and_large_ones_the_device_s(made: GroupRig) -> None:
    small = await made.rig.until(await _placed(made, SMALL))
    large = await made.rig.until(await _placed(made, LARGE))

    assert (small.wallet, small.state) == (made.hot, OrderState.SETTLED), small.reason
    assert (large.wallet, large.state) == (made.device, OrderState.SETTLED), large.reason
    assert [order.quote.wallet for order in (small, large) if order.quote] == [made.hot, made.device]
    await made.assert_both_books_close()


async def test_without_the_device_a_large_trade_is_as_large_as_the_hot_account_signs(made: GroupRig) -> None:
    _gone(made)
    order = await made.rig.until(await _placed(made, LARGE))

    assert (order.wallet, order.amount_in) == (made.hot, HOT_MOST)
    assert order.state is OrderState.SETTLED, order.reason
    await made.assert_both_books_close()


async def test_a_smaller_trade_below_the_least_amount_is_not_opened(made: GroupRig) -> None:
    _gone(made)
    made.rig.signer.most[made.hot] = LEAST - 1

    assert await made.place(LARGE) is None
    assert await made.rig.store.orders(open_only=False, limit=9) == ()


async def test_whoever_waits_for_the_device_opens_nothing_without_it(made: GroupRig) -> None:
    made = made.when_away(WhenAway.WAIT)
    _gone(made)

    assert await made.place(LARGE) is None
    assert await made.rig.store.orders(open_only=False, limit=9) == ()


async def test_an_account_without_the_funds_is_not_chosen(made: GroupRig) -> None:
    await made.rig.until(await _placed(made, SMALL))
    free = await _free_weth(made, made.hot)
    order = await made.place(free + ETHER // 1_000, sell=True)
    assert order is not None
    sold = await made.rig.until(order)

    assert (sold.wallet, sold.state) == (made.device, OrderState.SETTLED), sold.reason


async def test_a_device_that_goes_away_after_the_choice_hands_the_trade_over_once(made: GroupRig) -> None:
    first = await _placed(made, LARGE)
    _gone(made)
    second = await made.rig.until((await made.follower(first)).id)
    first_order = await made.rig.get(first)

    assert (first_order.wallet, first_order.state) == (made.device, OrderState.EXPIRED)
    assert (first_order.reason or "").startswith(f"{CANNOT_SIGN}: DEVICE_GONE")
    assert (second.wallet, second.amount_in, second.follows) == (made.hot, HOT_MOST, first)
    assert second.state is OrderState.SETTLED, second.reason
    assert [order.id for order in await made.settled_swaps()] == [second.id]
    assert [order.id for order in await made.rig.store.line_of(second.id)] == [second.id, first]
    await made.assert_both_books_close()


async def test_a_device_that_goes_away_between_approval_and_swap_hands_the_swap_over(made: GroupRig) -> None:
    made.rig.signer.people.always = None
    first = await _placed(made, LARGE)
    await made.press()
    key = await made.asked()
    _gone(made)
    made.rig.signer.people.press(key, "DEVICE_GONE")
    second = await made.rig.until((await made.follower(first)).id)
    first_order = await made.rig.get(first)

    assert first_order.state is OrderState.REFUSED
    assert second.idempotency_key != first_order.idempotency_key
    assert (second.wallet, second.state) == (made.hot, OrderState.SETTLED), second.reason
    assert len(await made.settled_swaps()) == 1
    await made.assert_both_books_close()


async def test_an_order_that_is_too_much_for_its_account_by_now_goes_on_with_another(made: GroupRig) -> None:
    first = await _placed(made, SMALL)
    made.rig.signer.too_much.add(made.hot)
    made.rig.signer.most[made.hot] = SMALL // 2
    second = await made.rig.until((await made.follower(first)).id)

    assert "AMOUNT_TOO_HIGH" in ((await made.rig.get(first)).reason or "")
    assert (second.wallet, second.amount_in, second.state) == (made.device, SMALL, OrderState.SETTLED)
    await made.assert_both_books_close()


async def test_what_nobody_signs_is_handed_over_once_for_each_account_and_ends_at_its_time(
    made: GroupRig,
) -> None:
    first = await _placed(made, LARGE)
    _gone(made)
    await made.follower(first)
    made.rig.signer.away[made.hot] = "VAULT_SEALED"
    for _ in range(20):
        await made.rig.look()
    made.rig.signer.away[made.hot] = "DEVICE_GONE"
    made.rig.clock.advance_ms(LIFE_MS)
    orders = await made.until_all_closed()

    swaps = [order for order in orders if order.kind is OrderKind.SWAP]
    assert [order.wallet for order in swaps] == [made.device, made.hot]
    assert {order.state for order in orders} <= {OrderState.EXPIRED, OrderState.REFUSED}
    assert made.rig.signer.signed == []
    await made.assert_both_books_close()


@pytest.mark.parametrize("reason", ["ACCOUNT_PAUSED", "DEVICE_OUTCOME_UNKNOWN"])
async def test_what_an_operator_has_to_look_at_is_asked_of_nobody_else(made: GroupRig, reason: str) -> None:
    first = await _placed(made, LARGE)
    made.rig.signer.away[made.device] = reason
    for _ in range(30):
        await made.rig.look()
        await asyncio.sleep(0.005)
    waiting = await made.rig.store.orders(open_only=True, limit=9)
    made.rig.clock.advance_ms(LIFE_MS)
    await made.until_all_closed()

    assert {order.wallet for order in waiting} == {made.device}
    assert await made.rig.store.get(following_id(first)) is None
    assert made.rig.signer.signed == []


async def _free_weth(made: GroupRig, wallet: str) -> int:
    balances = await made.rig.store.balances(made.hot if wallet == made.hot else made.device)
    return next(balance.free for balance in balances if balance.asset == made.rig.weth)
