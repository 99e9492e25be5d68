"""Signatures that wait for a person: no worker waits with them, no order is lost, nobody is asked twice."""

from collections.abc import AsyncIterator

import pytest_asyncio

from tests.integration.group_rig import LIFE_MS, PERSON_MS, GroupRig, group_rig, watched
from tests.testbed.bed import Bed
from tests.testbed.processes import until
from tests.testbed.uniswap import USDX_UNIT
from trader.domain.ids import OrderId
from trader.domain.orders import Order, OrderKind, OrderState

LARGE = 5_000 * USDX_UNIT
SMALL = 200 * USDX_UNIT


@pytest_asyncio.fixture
async def made(bed: Bed) -> AsyncIterator[GroupRig]:
    """The hot account signs small trades only."""
    async with group_rig(bed) as rig:
        rig.rig.signer.most[rig.hot] = 1_000 * USDX_UNIT
        yield rig


async def _placed(made: GroupRig, amount: int) -> OrderId:
    order = await made.place(amount)
    assert order is not None
    return order


async def test_a_person_confirms_the_approval_and_the_swap_and_the_books_close(made: GroupRig) -> None:
    order = await _placed(made, LARGE)
    keys = [await made.press(), await made.press()]
    swap = await made.rig.until(order)

    assert (swap.state, swap.wallet) == (OrderState.SETTLED, made.device), swap.reason
    assert len(set(keys)) == 2
    assert made.rig.signer.people.asked == keys
    await made.assert_both_books_close()


async def test_the_deadline_of_the_swap_leaves_the_person_their_time(made: GroupRig) -> None:
    order = await _placed(made, LARGE)
    await made.press()
    await made.asked()
    swap = await made.rig.get(order)

    assert swap.draft is not None
    assert swap.quote is not None
    assert swap.draft.deadline_s * 1_000 >= swap.quote.made_at + PERSON_MS
    await made.press()
    await made.until_all_closed()


async def test_other_orders_settle_while_a_person_reads(made: GroupRig) -> None:
    slow = await _placed(made, LARGE)
    await made.asked()
    quick = await made.rig.until(await _placed(made, SMALL))

    assert (quick.state, quick.wallet) == (OrderState.SETTLED, made.hot), quick.reason
    assert (await made.rig.get(slow)).state is OrderState.INTENT
    await made.press("REJECTED_ON_DEVICE")
    await made.until_all_closed()


async def test_a_rejection_ends_the_order_and_frees_its_funds(made: GroupRig) -> None:
    before = await made.rig.store.balances(made.device)
    order = await _placed(made, LARGE)
    await made.press("REJECTED_ON_DEVICE")
    swap = await made.rig.until(order)

    assert swap.state is OrderState.EXPIRED
    assert "REJECTED_ON_DEVICE" in (swap.reason or "")
    assert await made.rig.store.balances(made.device) == before
    assert await made.settled_swaps() == []
    await made.assert_both_books_close()


async def test_an_order_that_expires_before_a_person_is_given_up_at_the_signer(made: GroupRig) -> None:
    before = await made.rig.store.balances(made.device)
    async with watched(made):
        order = await _placed(made, LARGE)
        await made.asked()
        made.rig.clock.advance_ms(LIFE_MS)
        orders = await made.until_all_closed()

    assert made.rig.signer.people.waiting() == []
    assert made.rig.signer.signed == []
    assert {one.state for one in orders} == {OrderState.EXPIRED}
    assert (await made.rig.get(order)).reason == "expired before it was quoted"
    assert await made.rig.store.balances(made.device) == before


async def test_a_person_who_confirms_in_the_moment_of_giving_up_is_not_lost(made: GroupRig) -> None:
    """What the signer signed is broadcast, however late: its nonce must not be left open."""
    await _placed(made, LARGE)
    async with watched(made):
        key = await made.asked()
        made.rig.clock.advance_ms(LIFE_MS)
        made.rig.signer.people.press(key)
        approval = next(one for one in await made.until_all_closed() if one.kind is OrderKind.APPROVAL)

    assert approval.state is OrderState.SETTLED, approval.reason
    await made.assert_both_books_close()


async def test_a_trader_that_dies_while_a_person_reads_asks_the_same_and_trades_once(made: GroupRig) -> None:
    order = await _placed(made, LARGE)
    await made.press()
    key = await made.asked()
    for _ in range(3):
        made = await made.crashed()
        assert await made.asked() == key
    await made.press()
    swap = await made.rig.until(order)

    assert swap.state is OrderState.SETTLED, swap.reason
    assert len(made.rig.signer.people.asked) == 2
    assert len(await made.settled_swaps()) == 1
    await made.assert_both_books_close()


async def test_how_far_a_person_is_stands_beside_the_order_until_they_are_done(made: GroupRig) -> None:
    async with watched(made):
        await _placed(made, LARGE)
        key = await made.asked()
        approval = await _of_key(made, key)

        async def told(words: str | None) -> bool:
            return (await made.rig.get(approval.id)).waiting == words

        await until(lambda: told("waiting_for_confirmation: 1 of 3 screens"), what="it is told")
        made.rig.signer.people.press(key, "NOT_CONFIRMED_IN_TIME")
        await until(lambda: told(None), what="its end is told")
        await made.until_all_closed()


async def test_a_replacement_that_a_person_refused_is_not_asked_for_again_at_once(made: GroupRig) -> None:
    await _placed(made, LARGE)
    await made.rig.bed.anvil.rpc("evm_setAutomine", False)
    await made.press()
    await made.rig.until((await made.rig.store.orders(open_only=True, limit=9))[0].id, OrderState.BROADCAST)
    made.rig.clock.advance_ms(made.desk.config.stuck_after_ms)
    replacement = await made.press("REJECTED_ON_DEVICE")
    for _ in range(20):
        made.rig.clock.advance_ms(100)
        await made.rig.look()
    asked = list(made.rig.signer.people.asked)
    await made.rig.bed.anvil.rpc("evm_setAutomine", True)
    await made.rig.bed.anvil.rpc("evm_mine")
    made.rig.signer.people.always = "approve"
    await made.until_all_closed()

    assert replacement.endswith("-r1")
    assert asked.count(replacement) == 1
    await made.assert_both_books_close()


async def _of_key(made: GroupRig, key: str) -> Order:
    orders = await made.rig.store.orders(open_only=True, limit=9)
    return next(order for order in orders if order.idempotency_key == key)
