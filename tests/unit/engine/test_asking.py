"""Questions before a person: asked once, answered once, and not again right after a no."""

import asyncio

import pytest

from tests.fakes.fake_signer import refused
from trader.domain.errors import SignerUnavailableError
from trader.domain.ids import IdempotencyKey
from trader.domain.time import UnixMs
from trader.engine.attended.asking import REST_MS, Asking, PersonAsked
from trader.ports.signer import Refused, Signed

KEY = IdempotencyKey("k" * 32)
NOW = UnixMs(1_800_000_000_000)
SIGNED = Signed(transaction_id="1", nonce=0, raw=b"raw", transaction_hash="0x")


class Person:
    """Answers when a test says so; counts how often it was asked."""

    def __init__(self) -> None:
        self.asked = 0
        self.answer: asyncio.Future[Signed | Refused] = asyncio.get_running_loop().create_future()

    async def ask(self) -> Signed | Refused:
        self.asked += 1
        return await asyncio.shield(self.answer)


async def _look(asking: Asking, person: Person, now: UnixMs = NOW) -> object:
    return await asking.answer(KEY, person.ask, patience_ms=1, now=now)


async def test_a_question_is_asked_once_however_often_somebody_looks() -> None:
    asking, person = Asking(), Person()
    looks = [await _look(asking, person) for _ in range(3)]
    person.answer.set_result(SIGNED)
    await asyncio.sleep(0)
    await asyncio.sleep(0)

    assert looks == [PersonAsked()] * 3
    assert await _look(asking, person) == SIGNED
    assert person.asked == 1


async def test_an_error_is_told_once_and_then_it_is_asked_anew() -> None:
    asking, person = Asking(), Person()
    await _look(asking, person)
    person.answer.set_exception(SignerUnavailableError("gone"))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    with pytest.raises(SignerUnavailableError):
        await _look(asking, person)
    person.answer = asyncio.get_running_loop().create_future()

    assert await _look(asking, person) == PersonAsked()
    assert person.asked == 2
    await asking.close()


async def test_a_person_who_said_no_rests() -> None:
    asking, person = Asking(), Person()
    person.answer.set_result(refused("REJECTED_ON_DEVICE"))
    first, second = await _look(asking, person), await _look(asking, person)
    later = await _look(asking, person, UnixMs(NOW + REST_MS))

    assert first == second == later == refused("REJECTED_ON_DEVICE")
    assert person.asked == 2


async def test_an_answer_that_made_room_in_the_moment_it_came_reaches_who_waits_for_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("trader.engine.attended.asking._MOST_KEPT", 1)
    asking, person, other = Asking(), Person(), Person()
    waiting = asyncio.create_task(asking.answer(KEY, person.ask, patience_ms=60_000, now=NOW))
    await asyncio.sleep(0.01)
    person.answer.set_result(SIGNED)
    for _ in range(99):
        if asking._questions[KEY].done():
            break
        await asyncio.sleep(0)
    await asking.answer(IdempotencyKey("o" * 32), other.ask, patience_ms=1, now=NOW)

    assert await waiting == SIGNED
    await asking.close()


async def test_a_no_of_the_policy_is_no_reason_to_rest() -> None:
    asking, person = Asking(), Person()
    person.answer.set_result(refused("SLIPPAGE_TOO_HIGH"))
    await _look(asking, person)
    await _look(asking, person)

    assert person.asked == 2


async def test_what_nobody_waits_for_any_more_ends_without_a_word() -> None:
    asking, person = Asking(), Person()
    await _look(asking, person)
    asking.forget(KEY)
    asking.forget(KEY)
    person.answer.set_exception(SignerUnavailableError("gone"))
    person.answer.exception()
    await asking.close()

    assert person.asked == 1
