"""Orders before a person: nothing ends while its question may still be signed, whoever asked it and when."""

import asyncio
from dataclasses import replace

from tests.unit.engine.conftest import Scene
from trader.domain.errors import SignerUnavailableError
from trader.domain.ids import IdempotencyKey, OrderId
from trader.domain.orders import Order, OrderState
from trader.engine.attended.asking import Asking
from trader.engine.attended.people import People
from trader.engine.desk import Desk, HeldSignatures
from trader.engine.order_step import step
from trader.ports.signer import PersonPhase, Waiting

PERSON_MS = 90_000
QUICK_MS = 1
"""How long a step waits for an answer that a person gives later anyway."""


async def _attended(scene: Scene) -> None:
    scene.signer.attend(scene.signer.wallet, person_ms=PERSON_MS)
    scene.desk = await _process(scene)


async def _process(scene: Scene) -> Desk:
    """A trader of its own: the same orders and signer, and a memory of its own."""
    people = People()
    people.learn(await scene.signer.accounts())
    config = replace(scene.desk.config, poll_ms=QUICK_MS)
    return replace(scene.desk, config=config, people=people, asking=Asking(), held=HeldSignatures())


async def _asked(scene: Scene) -> tuple[OrderId, IdempotencyKey]:
    """A swap whose question is before a person."""
    await _attended(scene)
    order = await scene.order()
    key = (await scene.until(order, OrderState.SIGN_REQUESTED)).idempotency_key
    assert key is not None
    await scene.step(order)
    assert scene.signer.people.waiting() == [key]
    return order, key


async def _look(scene: Scene, desk: Desk, order: OrderId) -> Order:
    """One look of one process; it may be held up."""
    try:
        await step(desk, scene.store.claim_now(order))
    except SignerUnavailableError:
        await asyncio.sleep(0)
    return scene.store.rows[order]


def _waiting(scene: Scene, key: IdempotencyKey) -> Waiting:
    return Waiting(
        key=key,
        wallet=scene.signer.wallet,
        transaction_id=f"{len(scene.signer.people.asked):032x}",
        phase=PersonPhase.WAITING,
        message="1 of 3 screens",
    )


async def test_what_is_asked_anew_is_not_given_up_by_the_id_of_what_ended(scene: Scene) -> None:
    """The signer was started again, and the stream that would tell the new id is not back yet."""
    order, key = await _asked(scene)
    scene.desk.people.note(_waiting(scene, key))
    scene.signer.people.press(key, "DEVICE_GONE")
    await asyncio.sleep(0.01)
    await _look(scene, scene.desk, order)
    await _look(scene, scene.desk, order)
    assert scene.signer.people.waiting() == [key]
    scene.clock.advance_ms(PERSON_MS)
    ended = await _look(scene, scene.desk, order)

    assert ended.state is OrderState.SIGN_REQUESTED
    assert scene.signer.people.waiting() == [key]
    scene.signer.people.press(key)
    await asyncio.sleep(0.01)
    assert (await _look(scene, scene.desk, order)).state is OrderState.SIGNED


async def test_an_old_no_does_not_end_what_another_process_asked_anew(scene: Scene) -> None:
    """The no reached a process that did not have the order, and the one that had it died."""
    order, key = await _asked(scene)
    other = await _process(scene)
    await _look(scene, other, order)
    scene.signer.people.press(key, "REJECTED_ON_DEVICE")
    await asyncio.sleep(0.01)
    scene.desk = await _process(scene)
    await scene.step(order)
    asked_again = scene.signer.people.waiting()
    ended = await _look(scene, other, order)

    assert asked_again == [key]
    assert ended.state is OrderState.SIGN_REQUESTED
    scene.signer.people.press(key)
    await asyncio.sleep(0.01)
    assert (await _look(scene, other, order)).state is OrderState.SIGNED
    assert (await _look(scene, other, order)).state is OrderState.BROADCAST
    assert scene.chain.sent == [scene.signer.signed[0].transaction_hash]


async def test_a_receipt_is_seen_while_a_person_is_asked_for_one_more_replacement(scene: Scene) -> None:
    order, key = await _asked(scene)
    scene.signer.people.press(key)
    await asyncio.sleep(0.01)
    for _ in range(2):
        await scene.step(order)
    scene.clock.advance_ms(scene.desk.config.stuck_after_ms)
    await scene.step(order)
    scene.signer.people.press(IdempotencyKey(f"{key}-r1"))
    await asyncio.sleep(0.01)
    await scene.step(order)
    replaced = scene.signer.signed[-1].transaction_hash
    scene.clock.advance_ms(scene.desk.config.stuck_after_ms)
    await scene.step(order)
    waiting = scene.signer.people.waiting()
    unmined = await _look(scene, scene.desk, order)
    scene.chain.mine(replaced)
    mined = await _look(scene, scene.desk, order)

    assert len(waiting) == 1
    assert waiting[0] != key
    assert unmined.state is OrderState.BROADCAST
    assert (mined.state, mined.transaction_hash) == (OrderState.MINED, replaced)
    await scene.desk.asking.close()
