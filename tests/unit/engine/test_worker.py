"""One order's trouble is one order's delay."""

import asyncio
from dataclasses import replace

import pytest

from tests.fakes.fake_signer import Script
from tests.unit.engine.conftest import Scene
from trader.domain.errors import FundsShortError, StoreUnavailableError
from trader.domain.orders import OrderState
from trader.engine import worker as worker_module
from trader.engine.supervisor import supervise
from trader.engine.worker import Worker
from trader.ports.order_store import Claim


async def test_an_unreachable_signer_delays_with_growing_but_bounded_pauses(scene: Scene) -> None:
    order = await scene.order()
    await scene.until(order, OrderState.SIGN_REQUESTED)
    scene.signer.script(*[Script.CUT_BEFORE] * 5)
    worker, pauses = Worker(scene.desk, "w"), []
    for _ in range(5):
        await worker.work(scene.store.claim_now(order), asyncio.Event())
        pauses.append(scene.store.due[order] - scene.clock.now())

    assert pauses == [100, 200, 400, 400, 400]


@pytest.mark.parametrize(
    ("error", "pause_ms", "halted"),
    [(RuntimeError("ours"), 60_000, False), (FundsShortError("short"), 60_000, True)],
)
async def test_a_broken_order_is_quarantined_and_short_funds_halt_the_wallet(
    scene: Scene, monkeypatch: pytest.MonkeyPatch, error: Exception, pause_ms: int, *, halted: bool
) -> None:
    order = await scene.order()

    async def broken(*_: object) -> Claim:
        raise error

    monkeypatch.setattr(worker_module, "step", broken)
    await Worker(scene.desk, "w").work(scene.store.claim_now(order), asyncio.Event())

    assert scene.store.due[order] - scene.clock.now() == pause_ms
    assert bool(scene.store.halts) is halted


async def test_the_worker_that_opens_an_approval_sends_it_without_another_claim(scene: Scene) -> None:
    order = await scene.order()
    await Worker(scene.desk, "w").work(scene.store.claim_now(order), asyncio.Event())
    approval = scene.store.approvals[order].order

    assert scene.store.rows[approval].state is OrderState.BROADCAST
    assert scene.store.rows[approval].fence == 1
    assert scene.store.rows[order].state is OrderState.INTENT
    assert scene.store.due[order] > scene.clock.now()


async def test_trouble_with_an_approval_delays_the_approval_not_its_swap(scene: Scene) -> None:
    order = await scene.order()
    scene.signer.script(Script.CUT_BEFORE)
    await Worker(scene.desk, "w").work(scene.store.claim_now(order), asyncio.Event())
    approval = scene.store.approvals[order].order

    assert scene.store.rows[approval].state is OrderState.SIGN_REQUESTED
    assert scene.store.due[approval] - scene.clock.now() == scene.desk.config.retry_first_ms


@pytest.mark.parametrize("mined", [True, False])
async def test_a_mined_or_closed_approval_wakes_its_swap_at_once(scene: Scene, *, mined: bool) -> None:
    order = await scene.order()
    worker = Worker(scene.desk, "w")
    if not mined:
        scene.signer.script(Script.DENY)
    await worker.work(scene.store.claim_now(order), asyncio.Event())
    approval = scene.store.rows[scene.store.approvals[order].order]
    if mined:
        asleep = scene.store.due[order]
        assert asleep > scene.clock.now()
        scene.chain.mine(str(approval.transaction_hash))
        await worker.work(scene.store.claim_now(approval.id), asyncio.Event())

    expected = OrderState.MINED if mined else OrderState.REFUSED
    assert scene.store.rows[approval.id].state is expected
    assert scene.store.due[order] == scene.clock.now()


async def test_a_lost_database_reaches_the_supervisor(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    order = await scene.order()

    async def gone(*_: object) -> Claim:
        raise StoreUnavailableError("gone")

    monkeypatch.setattr(worker_module, "step", gone)
    with pytest.raises(StoreUnavailableError):
        await Worker(scene.desk, "w").work(scene.store.claim_now(order), asyncio.Event())


async def test_a_stopping_worker_gives_the_order_back_at_once(scene: Scene) -> None:
    order = await scene.order()
    stop = asyncio.Event()
    stop.set()
    await Worker(scene.desk, "w").work(scene.store.claim_now(order), stop)

    assert scene.store.due[order] == scene.clock.now()
    assert scene.store.rows[order].state is OrderState.INTENT


async def test_a_lease_is_renewed_when_half_of_it_is_gone(scene: Scene) -> None:
    order = await scene.order(live=False)
    claim = scene.store.claim_now(order)
    claim = replace(claim, lease_until=scene.clock.now())
    renewed = await Worker(scene.desk, "w")._renewed(claim)

    assert renewed.lease_until == scene.clock.now() + scene.desk.config.lease_ms


async def test_a_failing_task_is_started_again_and_the_others_run_on(scene: Scene) -> None:
    stop, runs = asyncio.Event(), {"bad": 0, "good": 0}

    async def bad(_: asyncio.Event) -> None:
        runs["bad"] += 1
        if runs["bad"] == 2:
            stop.set()
        raise RuntimeError("again")

    async def good(until: asyncio.Event) -> None:
        runs["good"] += 1
        await until.wait()

    graceful = await supervise({"bad": bad, "good": good}, stop, scene.clock, stop_within_ms=1_000)

    assert graceful
    assert runs == {"bad": 2, "good": 1}


async def test_a_task_that_does_not_stop_is_cancelled_in_time(scene: Scene) -> None:
    stop = asyncio.Event()
    stop.set()

    async def deaf(_: asyncio.Event) -> None:
        await asyncio.Event().wait()

    started = asyncio.Event()

    async def starts(until: asyncio.Event) -> None:
        started.set()
        await deaf(until)

    stop.clear()
    running = asyncio.create_task(supervise({"deaf": starts}, stop, scene.clock, stop_within_ms=20))
    await started.wait()
    stop.set()

    assert await running is False
