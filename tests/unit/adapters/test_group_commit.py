"""Group commit: one flush for many, nobody is left waiting, whatever breaks."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest

from signer.adapters.group_commit import GATHERED, PROBE_EVERY, Expected, GroupCommit
from signer.domain.errors import BrokenError, SignerError, UnavailableError
from signer.domain.reasons import FailReason


@dataclass
class Member:
    future: asyncio.Future[str]

    def resolve(self) -> None:
        self.future.set_result("durable")

    def reject(self, error: SignerError) -> None:
        self.future.set_exception(error)


@dataclass
class Store:
    batches: list[int] = field(default_factory=list)
    stage_error: Exception | None = None
    flush_error: Exception | None = None
    flushed_error: Exception | None = None
    abandoned: int = 0

    def stage(self, members: Sequence[Member]) -> None:
        self.batches.append(len(members))
        if self.stage_error is not None:
            raise self.stage_error

    def flush(self) -> None:
        if self.flush_error is not None:
            raise self.flush_error

    def flushed(self) -> None:
        if self.flushed_error is not None:
            raise self.flushed_error

    def abandon(self) -> None:
        self.abandoned += 1


@asynccontextmanager
async def opened(store: Store) -> AsyncIterator[GroupCommit[Member]]:
    group: GroupCommit[Member] = GroupCommit(store, name="book", unavailable=FailReason.LEDGER_UNAVAILABLE)
    group.start()
    try:
        yield group
    finally:
        await group.close()


async def ask(group: GroupCommit[Member]) -> str:
    member = Member(asyncio.get_running_loop().create_future())
    group.add(member)
    return await asyncio.wait_for(member.future, 30)


async def test_those_who_come_together_share_a_flush() -> None:
    store = Store()
    async with opened(store) as group:
        answers = await asyncio.gather(*(ask(group) for _ in range(50)))

    assert answers == ["durable"] * 50
    assert store.batches == [50]


async def test_under_load_a_batch_goes_when_it_is_full_enough_or_after_a_moment() -> None:
    store = Store()
    async with opened(store) as group:

        async def client() -> None:
            for _ in range(5):
                await ask(group)

        await asyncio.gather(*(client() for _ in range(GATHERED * 2)))
        await ask(group)

    assert sum(store.batches) == GATHERED * 2 * 5 + 1


def test_a_batch_waits_for_as_many_as_came_last_time_and_sometimes_for_twice_as_many() -> None:
    expected, counts = Expected(), []
    for came in (1, 5, 3, 3, 3, 3, 3, 3, 6, 6):
        counts.append(expected.count)
        expected.learn(came)

    assert counts == [1, 1, 5, 3, 3, 3, 3, 3, 6, 6]


def test_nobody_waits_alone_or_for_a_crowd() -> None:
    expected = Expected()
    for _ in range(3 * PROBE_EVERY):
        expected.learn(1)
        assert expected.count == 1
    expected.learn(10 * GATHERED)

    assert expected.count == GATHERED


async def test_a_flush_that_fails_is_told_to_everybody_in_it_and_to_nobody_else() -> None:
    store = Store(flush_error=OSError("disk on fire"))
    async with opened(store) as group:
        with pytest.raises(UnavailableError, match="book could not be written: OSError: disk on fire"):
            await ask(group)
        store.flush_error = None

        assert await ask(group) == "durable"
    assert store.abandoned == 1


async def test_a_mistake_while_staging_leaves_nobody_waiting(caplog: pytest.LogCaptureFixture) -> None:
    store = Store(stage_error=KeyError("a mistake of ours"))
    async with opened(store) as group:
        with pytest.raises(BrokenError, match="the book is broken: KeyError"):
            await ask(group)
        store.stage_error = None

        assert await ask(group) == "durable"
    assert store.abandoned == 1
    assert "a mistake of ours" in caplog.text


async def test_what_is_durable_is_answered_even_if_something_breaks_afterwards() -> None:
    store = Store(flushed_error=OSError("no room for the note"))
    async with opened(store) as group:
        assert await ask(group) == "durable"
