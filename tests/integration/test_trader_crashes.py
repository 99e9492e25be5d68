"""A crash at any call of any port leaves a row, and the next engine ends the order as if nothing was."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
import pytest_asyncio

from tests.fakes.crashing import Crash, CrashPoint, crashing
from tests.integration.trader_rig import Rig, trader_rig
from tests.testbed.bed import Bed
from trader.domain.ids import OrderId
from trader.domain.orders import CLOSED_STATES, OrderState
from trader.engine.order_step import step
from trader.engine.worker import Worker

LEASE_MS = 200


@pytest_asyncio.fixture
async def rig(bed: Bed) -> AsyncIterator[Rig]:
    async with trader_rig(bed) as made:
        yield made.restart(lease_ms=LEASE_MS)


async def test_an_engine_that_dies_between_any_two_steps_is_resumed_by_another(rig: Rig) -> None:
    order = await rig.order()
    engines = 0
    while (found := await rig.get(order)).state not in CLOSED_STATES:
        engines += 1
        rig = rig.restart()
        for claim in await rig.store.claim(f"engine-{engines}", rig.clock.now(), LEASE_MS, 10):
            await step(rig.desk, claim)  # and dies: nothing is let go
        rig.clock.advance_ms(LEASE_MS + 1)

    assert found.state is OrderState.SETTLED, found.reason
    assert engines > 8
    assert await rig.swaps_on_chain() == 2
    await rig.assert_books_close()


@pytest.mark.parametrize("after_effect", [False, True], ids=["before", "after"])
async def test_a_crash_at_any_call_never_sends_twice_and_never_loses_the_order(
    rig: Rig, *, after_effect: bool
) -> None:
    settled = nonces = number = 0
    while True:
        point = CrashPoint(at=number, after_effect=after_effect)
        order = await rig.order()
        await _run_into(rig, point, order)
        if len(point.calls) <= number:
            break
        rig.clock.advance_ms(LEASE_MS + 1)
        rig = rig.restart()
        closed = await rig.until(order)
        assert closed.state is OrderState.SETTLED, (point.calls, closed.reason)
        settled, nonces = settled + 1, await rig.swaps_on_chain()
        assert nonces == 2 * settled, point.calls
        number += 1

    assert number > 25
    assert len({signed.nonce for signed in rig.signer.signed}) == len(rig.signer.signed)
    await rig.assert_books_close()


async def _run_into(rig: Rig, point: CrashPoint, order: OrderId) -> None:
    """One engine works on everything until it dies at the point, or the order is closed."""
    desk = replace(
        rig.desk,
        store=crashing(rig.desk.store, point),
        chain=crashing(rig.desk.chain, point),
        signer=crashing(rig.desk.signer, point),
    )
    worker, stop = Worker(desk, f"doomed-{point.at}"), asyncio.Event()
    try:
        while (await rig.get(order)).state not in CLOSED_STATES:
            claims = await rig.store.claim(f"doomed-{point.at}", rig.clock.now(), LEASE_MS, 1)
            for claim in claims:
                await worker.work(claim, stop)
            if not claims:
                await asyncio.sleep(0.002)
    except Crash:
        return
