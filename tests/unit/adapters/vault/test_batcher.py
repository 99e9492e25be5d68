"""Many callers, few requests: who gets what, and whom a failure reaches."""

import asyncio
from collections.abc import Sequence

import pytest

from signer.adapters.vault.batcher import MAX_WAITING, Batcher
from signer.domain.errors import BrokenError, OverloadedError, SignerError, UnavailableError
from signer.domain.reasons import FailReason

BAD = -1


class Vault:
    """Doubles numbers; holds its answers back while `gate` is closed; fails as told."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.gate = asyncio.Event()
        self.gate.set()
        self.failure: Exception | None = None

    async def send(self, items: Sequence[int]) -> Sequence[int | SignerError]:
        self.batches.append(list(items))
        await self.gate.wait()
        if self.failure is not None:
            raise self.failure
        return [_refusal() if item == BAD else 2 * item for item in items]


async def test_a_lone_caller_goes_at_once() -> None:
    vault = Vault()

    assert await Batcher(vault.send).ask(4) == 8
    assert vault.batches == [[4]]


async def test_who_asks_in_the_same_round_goes_together() -> None:
    vault = Vault()
    batcher = Batcher(vault.send)

    assert await _ask_all(batcher, range(10)) == [2 * number for number in range(10)]
    assert vault.batches == [list(range(10))]


async def test_a_batch_has_a_bound_and_more_than_one_may_be_on_its_way() -> None:
    vault = Vault()
    vault.gate.clear()
    batcher = Batcher(vault.send, max_batch=4, max_in_flight=2)
    asking = [asyncio.create_task(batcher.ask(number)) for number in range(20)]
    await _settle()

    on_their_way = list(vault.batches)
    vault.gate.set()

    assert on_their_way == [[0, 1, 2, 3], [4, 5, 6, 7]]
    assert await asyncio.gather(*asking) == [2 * number for number in range(20)]
    assert [len(batch) for batch in vault.batches] == [4] * 5


async def test_a_bad_item_reaches_only_its_own_caller() -> None:
    batcher = Batcher(Vault().send)

    answers = await asyncio.gather(*(batcher.ask(item) for item in (1, BAD, 3)), return_exceptions=True)

    assert answers[0] == 2
    assert answers[2] == 6
    assert isinstance(answers[1], BrokenError)


async def test_a_failed_request_reaches_all_of_its_callers_and_no_others() -> None:
    vault = Vault()
    batcher = Batcher(vault.send)
    vault.failure = UnavailableError(FailReason.VAULT_SEALED, "sealed")

    failed = await asyncio.gather(*(batcher.ask(item) for item in range(3)), return_exceptions=True)
    vault.failure = None

    assert [type(each) for each in failed] == [UnavailableError] * 3
    assert await batcher.ask(5) == 10


async def test_a_cancelled_caller_hurts_nobody() -> None:
    vault = Vault()
    vault.gate.clear()
    batcher = Batcher(vault.send, max_batch=2, max_in_flight=1)
    asking = [asyncio.create_task(batcher.ask(number)) for number in range(5)]
    await _settle()

    asking[0].cancel()  # on its way
    asking[3].cancel()  # still waiting
    await _settle()
    vault.gate.set()
    answers = await asyncio.gather(*asking, return_exceptions=True)

    assert [each for each in answers if isinstance(each, int)] == [2, 4, 8]
    assert vault.batches == [[0, 1], [2, 4]]


async def test_our_own_mistake_leaves_nobody_waiting(caplog: pytest.LogCaptureFixture) -> None:
    vault = Vault()
    vault.failure = ZeroDivisionError()

    with pytest.raises(BrokenError, match="a batch broke: ZeroDivisionError"):
        await Batcher(vault.send).ask(1)
    await _settle()

    assert "ZeroDivisionError" in caplog.text  # and it is not hushed up


async def test_an_answer_of_another_length_is_nobodys_answer(caplog: pytest.LogCaptureFixture) -> None:
    async def send(items: Sequence[int]) -> Sequence[int]:
        return items[1:]

    with pytest.raises(BrokenError, match="a batch broke"):
        await Batcher(send).ask(1)
    await _settle()

    assert "0 results for 1 items" in caplog.text


async def test_too_many_waiting_are_refused_at_once() -> None:
    vault = Vault()
    vault.gate.clear()
    batcher = Batcher(vault.send, max_in_flight=1)
    asking = [asyncio.create_task(batcher.ask(number)) for number in range(MAX_WAITING)]
    await _settle()
    more = [asyncio.create_task(batcher.ask(number)) for number in range(40)]
    await _settle()

    refused = [each for each in more if each.done() and isinstance(each.exception(), OverloadedError)]
    vault.gate.set()
    await asyncio.gather(*asking)
    await asyncio.gather(*more, return_exceptions=True)

    assert len(refused) == 40 - 32  # the first batch is on its way and waits no more


async def _ask_all(batcher: Batcher[int, int], numbers: Sequence[int]) -> list[int]:
    return await asyncio.gather(*(batcher.ask(number) for number in numbers))


async def _settle() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


def _refusal() -> SignerError:
    return BrokenError(FailReason.BROKEN, "bad")
