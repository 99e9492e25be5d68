"""Checkpoints are made beside the trail, late when their key is away, and never lost by that."""
# ruff: noqa: ASYNC240 - the tests tamper with small files between two uses of the trail

import asyncio
import os
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from signer.adapters.audit_file import AuditFile
from signer.adapters.audit_file.checkpoint_file import CheckpointFile, checkpoint_path
from signer.adapters.audit_file.checkpoint_line import read_line
from signer.adapters.audit_file.head_file import head_path
from signer.domain.errors import ConfigurationError
from signer.domain.time import UnixMs
from signer.service.audit_checkpoints import AuditCheckpoints
from tests.fakes.clock import FakeClock
from tests.unit.audit.checkpoints import RHYTHM, MemoryCheckpointKey, RecordingLog, write_checkpointed
from tests.unit.audit.trail import record


class Rig:
    def __init__(self, trail: AuditFile, book: CheckpointFile) -> None:
        self.key, self.clock, self.log = MemoryCheckpointKey(), FakeClock(), RecordingLog()
        self.trail, self.book = trail, book
        self.making = AuditCheckpoints(
            trail=trail, key=self.key, book=book, rhythm=RHYTHM, clock=self.clock, log=self.log
        )

    async def append(self, count: int) -> None:
        for number in range(count):
            await self.trail.append(record(number))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "audit.jsonl"


@asynccontextmanager
async def rig(path: Path) -> AsyncIterator[Rig]:
    async with AuditFile(path, FakeClock()) as trail, CheckpointFile(checkpoint_path(path), trail) as book:
        yield Rig(trail, book)


async def test_a_new_trail_is_covered_at_once_and_then_only_by_its_rhythm(path: Path) -> None:
    async with rig(path) as on:
        due = [on.making.due()]
        await on.making.make()
        due.append(on.making.due())
        await on.append(RHYTHM.every_records - 1)
        due.append(on.making.due())
        await on.append(1)
        due.append(on.making.due())

    assert due == [True, False, False, True]


async def test_few_records_are_covered_after_an_hour_and_none_never(path: Path) -> None:
    async with rig(path) as on:
        await on.making.make()
        on.clock.advance_s(RHYTHM.every_s)
        idle = on.making.due()
        await on.append(1)
        waiting = on.making.due()

    assert (idle, waiting) == (False, True)


async def test_a_checkpoint_is_in_the_file_and_names_a_head_only(path: Path) -> None:
    async with rig(path) as on:
        await on.append(3)
        await on.making.make()
        line = checkpoint_path(path).read_bytes()
        head = on.trail.head

    statement = read_line(line).statement
    assert (statement.seq, statement.hash, statement.after) == (3, head.hash, -1)
    assert b"swap" not in line
    assert checkpoint_path(path).stat().st_mode & 0o777 == 0o600


async def test_while_the_key_is_away_records_are_taken_and_the_next_checkpoint_covers_them(
    path: Path,
) -> None:
    async with rig(path) as on:
        await on.making.make()
        on.key.reachable = False
        await on.append(25)
        tries = [await on.making.make(), await on.making.make()]
        state = on.making.state
        on.clock.advance_s(90)
        on.key.reachable = True
        await on.making.make()
        after = on.making.state

    assert tries == [False, False]
    assert (state.uncovered, state.failing_since is None) == (25, False)
    assert "sealed" in state.problem
    assert (after.uncovered, after.last_seq, after.failing_since) == (0, 25, None)
    assert on.log.names() == [
        "checkpoint.made",
        "checkpoint.delayed",
        "checkpoint.caught_up",
        "checkpoint.made",
    ]
    assert on.log.events[2][1]["late_s"] == 90


async def test_the_end_of_the_signer_covers_what_is_left_and_never_fails_it(path: Path) -> None:
    async with rig(path) as on:
        await on.append(2)
        await on.making.finish()
        covered = on.making.state.last_seq
        await on.append(1)
        on.key.reachable = False
        await on.making.finish()

    assert covered == 2


async def test_an_end_in_the_middle_of_a_write_leaves_one_chain_of_checkpoints(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written, go_on = threading.Event(), threading.Event()

    def slow(descriptor: int) -> None:
        written.set()
        go_on.wait(10)
        os.fsync(descriptor)

    async with rig(path) as on:
        monkeypatch.setattr("signer.adapters.audit_file.checkpoint_file.os.fdatasync", slow)
        making = asyncio.create_task(on.making.run())
        await asyncio.to_thread(written.wait, 10)
        making.cancel()
        await asyncio.sleep(0)
        monkeypatch.undo()
        await on.append(1)
        asyncio.get_running_loop().call_later(0.05, go_on.set)
        await on.making.finish()

    statements = [read_line(line).statement for line in _lines(path)]
    assert making.cancelled()
    assert [(each.after, each.seq) for each in statements] == [(-1, 0), (0, 1)]


async def test_a_reopened_file_goes_on_where_it_was(path: Path) -> None:
    key = MemoryCheckpointKey()
    await write_checkpointed(path, key, rounds=2)
    await write_checkpointed(path, key, rounds=1)

    statements = [read_line(line).statement for line in _lines(path)]
    assert [(each.after, each.seq) for each in statements] == [(-1, 4), (4, 8), (8, 12)]


async def test_a_torn_last_line_is_cut_off_and_said_so(path: Path) -> None:
    await write_checkpointed(path, MemoryCheckpointKey(), rounds=2)
    with checkpoint_path(path).open("ab") as file:
        file.write(b'{"after":8,"at"')
    async with rig(path) as on:
        torn, last = on.book.torn, on.book.last

    assert torn
    assert last is not None
    assert last.statement.seq == 8
    assert len(_lines(path)) == 2


async def test_a_trail_cut_below_its_last_checkpoint_is_refused_at_opening(path: Path) -> None:
    await write_checkpointed(path, MemoryCheckpointKey())
    path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[:-1]))
    head_path(path).unlink()

    with pytest.raises(ConfigurationError, match=r"ends at record 11.*signed checkpoint knows record 12"):
        async with rig(path):
            pass


async def test_an_unreadable_last_checkpoint_is_refused_at_opening(path: Path) -> None:
    checkpoint_path(path).write_text("tomorrow\n")

    with pytest.raises(ConfigurationError, match=r"checkpoints:1: the last checkpoint cannot be read"):
        async with rig(path):
            pass


async def test_a_full_disk_delays_a_checkpoint_and_leaves_no_half_line(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_descriptor: int, _data: bytes) -> int:
        raise OSError(28, "No space left on device")

    async with rig(path) as on:
        with monkeypatch.context() as broken:
            broken.setattr("signer.adapters.audit_file.checkpoint_file.os.write", full)
            made = await on.making.make()
        problem = on.making.state.problem
        again = await on.making.make()

    assert (made, again, "No space" in problem) == (False, True, True)
    assert len(_lines(path)) == 1


async def test_half_a_line_that_cannot_be_cut_off_is_never_followed_by_another(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(*_arguments: object) -> int:
        raise OSError(5, "Input/output error")

    async with rig(path) as on:
        with monkeypatch.context() as broken:
            broken.setattr("signer.adapters.audit_file.checkpoint_file.os.fdatasync", failing)
            broken.setattr("signer.adapters.audit_file.checkpoint_file.os.ftruncate", failing)
            await on.making.make()
        again = await on.making.make()
        problem = on.making.state.problem

    assert (again, "a restart cuts it off" in problem) == (False, True)


def _lines(path: Path) -> list[bytes]:
    return checkpoint_path(path).read_bytes().splitlines(keepends=True)


async def test_a_clock_that_is_set_back_makes_no_checkpoint_older_than_the_one_before_it(path: Path) -> None:
    async with rig(path) as on:
        await on.append(1)
        await on.making.make()
        before = on.book.last
        on.clock.set(UnixMs(on.clock.now() - 5))
        await on.append(1)
        await on.making.make()
        after = on.book.last

    assert before is not None
    assert after is not None
    assert after.statement.seq == 2
    assert after.statement.at >= before.statement.at


async def test_a_clock_that_is_set_back_by_a_day_delays_no_checkpoint_and_makes_no_flood(path: Path) -> None:
    async with rig(path) as on:
        await on.append(1)
        await on.making.make()
        on.clock.set(UnixMs(on.clock.now() - 86_400_000))
        await on.append(1)
        due = [on.making.due()]
        await on.making.make()
        await on.append(1)
        due.append(on.making.due())
        on.clock.advance_s(RHYTHM.every_s)
        due.append(on.making.due())

    assert due == [True, False, True]
