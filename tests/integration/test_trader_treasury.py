"""Top-ups: one account of ours refills another, when a person approves; both books close all the while."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
import pytest_asyncio

from tests.fakes.crashing import Crash, CrashPoint, crashing
from tests.fakes.fake_people import APPROVE
from tests.integration.group_rig import COIN, LIFE_MS, GroupRig, group_rig
from tests.testbed.bed import Bed
from tests.testbed.uniswap import ETHER, USDX_UNIT
from trader.domain.ids import AssetId, WalletId
from trader.domain.orders import CLOSED_STATES, Order, OrderKind, OrderState
from trader.engine.reconcile import compare_books
from trader.engine.worker import Worker

BELOW, LEVEL = 150_000 * USDX_UNIT, 160_000 * USDX_UNIT  # both accounts begin with 100,000
MISSING = 60_000 * USDX_UNIT
LEASE_MS = 200


@pytest_asyncio.fixture
async def made(bed: Bed) -> AsyncIterator[GroupRig]:
    async with group_rig(bed) as rig:
        yield rig


async def _free(made: GroupRig, wallet: WalletId, asset: AssetId) -> int:
    return next(one.free for one in await made.rig.store.balances(wallet) if one.asset == asset)


async def test_a_top_up_that_a_person_approves_is_booked_out_of_one_and_into_the_other(
    made: GroupRig,
) -> None:
    usdx = made.rig.usdx
    before = await _free(made, made.hot, usdx), await _free(made, made.device, usdx)
    order = await made.treasury(usdx, below=BELOW, to_level=LEVEL).look()
    assert order is not None
    await made.press()
    top_up = await made.rig.until(order)

    assert (top_up.kind, top_up.state) == (OrderKind.TOP_UP, OrderState.SETTLED), top_up.reason
    assert (top_up.wallet, top_up.recipient) == (made.device, made.hot)
    assert (top_up.amount_spent, top_up.amount_received) == (MISSING, MISSING)
    assert await _free(made, made.hot, usdx) == before[0] + MISSING == LEVEL
    assert await _free(made, made.device, usdx) == before[1] - MISSING
    await made.assert_both_books_close()


async def test_the_native_coin_moves_by_its_value_and_the_payer_pays_the_fee(made: GroupRig) -> None:
    before = await _free(made, made.hot, COIN), await _free(made, made.device, COIN)
    level = before[0] + 3 * ETHER
    order = await made.treasury(COIN, below=level, to_level=level).look()
    assert order is not None
    await made.press()
    top_up = await made.rig.until(order)

    assert top_up.state is OrderState.SETTLED, top_up.reason
    assert await _free(made, made.hot, COIN) == level
    assert top_up.fee_paid_wei is not None
    assert await _free(made, made.device, COIN) == before[1] - 3 * ETHER - top_up.fee_paid_wei
    await made.assert_both_books_close()


async def test_enough_is_not_topped_up_and_a_cap_holds(made: GroupRig) -> None:
    usdx = made.rig.usdx
    enough = await made.treasury(usdx, below=100_000 * USDX_UNIT, to_level=LEVEL).look()
    order = await made.treasury(usdx, below=BELOW, to_level=LEVEL, most=7).look()

    assert enough is None
    assert order is not None
    assert (await made.rig.get(order)).amount_in == 7
    await made.press()
    await made.until_all_closed()


async def test_neither_wallet_is_seen_to_drift_while_a_top_up_is_under_way(made: GroupRig) -> None:
    made = await made.crashed()
    desk = replace(made.desk, config=replace(made.desk.config, confirmations=3))
    made = made.with_desk(desk)
    await made.treasury(made.rig.usdx, below=BELOW, to_level=LEVEL).look()
    made.rig.signer.people.always = APPROVE
    seen = []
    while any(order.state not in CLOSED_STATES for order in await _all(made)):
        await made.rig.look()
        seen += [
            await compare_books(made.desk, wallet, made.rig.assets) for wallet in (made.hot, made.device)
        ]
        await made.rig.bed.anvil.rpc("evm_mine")

    assert any(drift is None for drift in seen)
    assert not any(drift.by_asset for drift in seen if drift is not None)
    await made.assert_both_books_close()


async def test_one_that_a_person_refused_is_not_asked_for_again_before_its_time(made: GroupRig) -> None:
    treasury = made.treasury(made.rig.usdx, below=BELOW, to_level=LEVEL)
    before = await made.rig.store.balances(made.device)
    order = await treasury.look()
    assert order is not None
    await made.press("REJECTED_ON_DEVICE")
    refused = await made.rig.until(order)
    again = await treasury.look()
    made.rig.clock.advance_ms(60_001)
    later = await treasury.look()

    assert refused.state is OrderState.REFUSED
    assert again is None
    assert later is not None
    await made.press("REJECTED_ON_DEVICE")
    await made.until_all_closed()
    assert await made.rig.store.balances(made.device) == before


async def test_of_many_who_look_at_once_one_opens_a_top_up(made: GroupRig) -> None:
    found = await asyncio.gather(
        *(made.treasury(made.rig.usdx, below=BELOW, to_level=LEVEL, most=7 + n).look() for n in range(8))
    )

    assert sum(order is not None for order in found) == 1
    await made.press()
    await made.until_all_closed()
    await made.assert_both_books_close()


async def test_the_interval_begins_when_the_person_was_done(made: GroupRig) -> None:
    """One who did not look for longer than the interval is not asked again in the same moment."""
    treasury = made.treasury(made.rig.usdx, below=BELOW, to_level=LEVEL)
    order = await treasury.look()
    assert order is not None
    await made.asked()
    made.rig.clock.advance_ms(90_000)
    await made.press("NOT_CONFIRMED_IN_TIME")
    await made.rig.until(order)
    again = await treasury.look()
    made.rig.clock.advance_ms(60_001)
    later = await treasury.look()

    assert again is None
    assert later is not None
    await made.press("REJECTED_ON_DEVICE")
    await made.until_all_closed()


async def test_a_dry_run_asks_nobody_and_holds_no_top_up_back(made: GroupRig) -> None:
    treasury = made.treasury(made.rig.usdx, below=BELOW, to_level=LEVEL)
    treasury._live = False
    dry = await treasury.look()
    assert dry is not None
    ended = await made.rig.until(dry)
    treasury._live = True
    live = await treasury.look()

    assert (ended.state, made.rig.signer.people.asked) == (OrderState.EXPIRED, [])
    assert live is not None
    await made.press()
    assert (await made.rig.until(live)).state is OrderState.SETTLED


async def test_a_halted_wallet_is_not_topped_up(made: GroupRig) -> None:
    """Its key may be stolen: what its books miss on the chain is no reason to send more there."""
    treasury = made.treasury(made.rig.usdx, below=BELOW, to_level=LEVEL)
    await made.rig.store.halt_wallet(made.hot, "books and chain differ", made.rig.clock.now())
    halted = await treasury.look()
    await made.rig.store.release_wallet(made.hot, made.rig.clock.now())
    released = await treasury.look()

    assert halted is None
    assert released is not None
    await made.press()
    await made.until_all_closed()


async def test_a_device_that_is_away_is_not_asked(made: GroupRig) -> None:
    made.rig.signer.away[made.device] = "DEVICE_GONE"

    assert await made.treasury(made.rig.usdx, below=BELOW, to_level=LEVEL).look() is None
    assert await _all(made) == []


async def test_a_device_that_went_away_ends_the_top_up_at_its_time_and_nothing_moved(made: GroupRig) -> None:
    before = await made.rig.store.balances(made.device)
    order = await made.treasury(made.rig.usdx, below=BELOW, to_level=LEVEL).look()
    assert order is not None
    made.rig.signer.away[made.device] = "DEVICE_GONE"
    for _ in range(10):
        await made.rig.look()
        await asyncio.sleep(0.005)
    waiting = await made.rig.get(order)
    made.rig.clock.advance_ms(LIFE_MS)
    ended = await made.rig.until(order)

    assert waiting.state is OrderState.SIGN_REQUESTED
    assert ended.state is OrderState.EXPIRED
    assert await made.rig.store.balances(made.device) == before


@pytest.mark.parametrize("after_effect", [False, True], ids=["before", "after"])
async def test_a_crash_at_any_call_moves_the_money_once(made: GroupRig, *, after_effect: bool) -> None:
    made.rig.signer.people.always = APPROVE
    made = await made.crashed(lease_ms=LEASE_MS)
    start = await _free(made, made.hot, made.rig.usdx)
    number = 0
    while True:
        point = CrashPoint(at=number, after_effect=after_effect)
        opened = await made.treasury(made.rig.usdx, below=10**30, to_level=10**30, most=USDX_UNIT).look()
        assert opened is not None
        await _run_into(made, point)
        if len(point.calls) <= number:
            break
        made.rig.clock.advance_ms(LEASE_MS + 60_001)
        made = await made.crashed()
        ended = await made.rig.until(opened)
        made.rig.clock.advance_ms(60_001)
        assert ended.state in {OrderState.SETTLED, OrderState.EXPIRED}, (point.calls, ended.reason)
        number += 1

    settled = [order for order in await made.until_all_closed() if order.state is OrderState.SETTLED]
    assert number > 8
    assert len(settled) > number // 2
    assert await _free(made, made.hot, made.rig.usdx) == start + len(settled) * USDX_UNIT
    await made.assert_both_books_close()


async def _run_into(made: GroupRig, point: CrashPoint) -> None:
    desk = replace(
        made.desk,
        store=crashing(made.desk.store, point),
        chain=crashing(made.desk.chain, point),
        signer=crashing(made.desk.signer, point),
    )
    worker, stop = Worker(desk, f"doomed-{point.at}"), asyncio.Event()
    try:
        while any(order.state not in CLOSED_STATES for order in await _all(made)):
            claims = await made.rig.store.claim(f"doomed-{point.at}", made.rig.clock.now(), LEASE_MS, 1)
            for claim in claims:
                await worker.work(claim, stop)
            if not claims:
                await asyncio.sleep(0.002)
    except Crash:
        return


async def _all(made: GroupRig) -> list[Order]:
    return list(await made.rig.store.orders(open_only=False, limit=500))
