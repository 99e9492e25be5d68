"""The audit file: on disk before it answers, refused after a failure, recovered after a crash."""
# ruff: noqa: ASYNC240 - the tests tamper with small files between two uses of the trail

import asyncio
import json
import os
from dataclasses import replace
from pathlib import Path

import pytest

from signer.adapters.audit_file import AuditFile, verify
from signer.adapters.audit_file.head_file import head_path, read_head
from signer.domain.errors import ConfigurationError, UnavailableError
from signer.domain.reasons import FailReason
from tests.fakes.clock import FakeClock
from tests.unit.audit.trail import record, write_trail

CLOCK = FakeClock()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "audit.jsonl"


async def test_a_record_is_in_the_file_when_append_returns(path: Path) -> None:
    async with AuditFile(path, CLOCK) as audit:
        await audit.append(record(4))
        lines = path.read_bytes().splitlines()

    written = json.loads(lines[1])
    assert {"seq", "prev", "hash"} < set(written)
    assert (written["nonce"], written["verdict"]) == (4, "approved")
    assert written["prev"] == json.loads(lines[0])["hash"]


async def test_concurrent_records_form_one_chain(path: Path) -> None:
    async with AuditFile(path, CLOCK) as audit:
        await asyncio.gather(*(audit.append(record(number)) for number in range(300)))
        head = audit.head

    assert verify(path, head).records == 300
    assert verify(path, head).problem is None


async def test_a_reopened_trail_goes_on(path: Path) -> None:
    await write_trail(path, 3)
    head = await write_trail(path, 2)

    assert head.seq == 5
    assert verify(path, head).problem is None


async def test_every_file_is_the_owners_alone(path: Path) -> None:
    await write_trail(path, 1)

    assert {file.stat().st_mode & 0o777 for file in path.parent.iterdir()} == {0o600}


@pytest.mark.parametrize("torn", [b'{"account":"eip15', b'{"a":1}', b"\0\0\0\0\0", b"\0\0\0\n"])
async def test_a_torn_last_line_is_moved_aside_and_said_so(path: Path, torn: bytes) -> None:
    await write_trail(path, 3)
    with path.open("ab") as file:
        file.write(torn)
    async with AuditFile(path, CLOCK) as audit:
        await audit.append(record(9))
        aside = audit.torn

    assert aside == path.with_name("audit.jsonl.torn-4")
    assert aside.read_bytes() == torn
    assert verify(path).problem is None
    assert verify(path).records == 4


async def test_a_sound_trail_is_not_called_torn(path: Path) -> None:
    await write_trail(path, 3)
    async with AuditFile(path, CLOCK) as audit:
        torn = audit.torn

    assert torn is None


async def test_a_torn_genesis_begins_anew_and_keeps_what_was_there(path: Path) -> None:
    path.write_bytes(b'{"at":1')
    async with AuditFile(path, CLOCK) as audit:
        await audit.append(record(1))
        aside = audit.torn

    assert aside is not None
    assert aside.read_bytes() == b'{"at":1'
    assert verify(path).records == 1


async def test_a_record_longer_than_a_block_is_found_again(path: Path) -> None:
    async with AuditFile(path, CLOCK) as audit:
        await audit.append(replace(record(1), details=("x" * 200_000,)))
    head = await write_trail(path, 1)

    assert verify(path, head).records == 2
    assert verify(path, head).problem is None


async def test_a_changed_last_record_is_refused_at_opening(path: Path) -> None:
    await write_trail(path, 3)
    path.write_bytes(path.read_bytes().replace(b'"nonce":2', b'"nonce":3'))

    with pytest.raises(ConfigurationError, match=r"audit.jsonl: the last record cannot be trusted.*changed"):
        await write_trail(path, 1)


async def test_a_cut_trail_is_refused_at_opening(path: Path) -> None:
    await write_trail(path, 3)
    path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[:-1]))

    with pytest.raises(ConfigurationError, match=r"ends at record 2.*knows record 3"):
        await write_trail(path, 1)


async def test_a_vanished_trail_is_refused_at_opening(path: Path) -> None:
    await write_trail(path, 3)
    path.unlink()

    with pytest.raises(ConfigurationError, match=r"ends at record -1.*knows record 3"):
        await write_trail(path, 1)


async def test_an_unreadable_head_is_refused_at_opening(path: Path) -> None:
    await write_trail(path, 1)
    head_path(path).write_text("tomorrow")

    with pytest.raises(ConfigurationError, match="head is not"):
        await write_trail(path, 1)


async def test_a_second_writer_is_refused(path: Path) -> None:
    async with AuditFile(path, CLOCK):
        with pytest.raises(ConfigurationError, match="another signer writes"):
            await write_trail(path, 1)


async def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"nowhere/audit.jsonl: the audit file cannot be used"):
        await write_trail(tmp_path / "nowhere" / "audit.jsonl", 1)


async def test_after_one_failed_write_nothing_is_accepted_until_reopened(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_descriptor: int, _data: memoryview) -> int:
        raise OSError(28, "No space left on device")

    async with AuditFile(path, CLOCK) as audit:
        await audit.append(record(1))
        with monkeypatch.context() as broken:
            broken.setattr(os, "write", full)
            with pytest.raises(UnavailableError, match="No space left") as first:
                await audit.append(record(2))
        with pytest.raises(UnavailableError, match="restart") as second:
            await audit.append(record(3))
        works = audit.works
    head = await write_trail(path, 1)

    assert not works
    assert first.value.reason is second.value.reason is FailReason.AUDIT_UNAVAILABLE
    assert verify(path, head).records == 2
    assert verify(path, head).problem is None


async def test_a_lost_write_is_heard_by_everybody_who_waits_for_it(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The kernel tells a descriptor of it once; the next fdatasync succeeds."""
    reports = iter([OSError(5, "Input/output error")])

    def once(_descriptor: int) -> None:
        for error in reports:
            raise error

    async with AuditFile(path, CLOCK) as audit:
        first, second = audit.stage([record(1)]), audit.stage([record(2)])
        monkeypatch.setattr(os, "fdatasync", once)
        with pytest.raises(UnavailableError, match="Input/output error"):
            first.flush()
        with pytest.raises(UnavailableError, match="restart"):
            second.flush()


async def test_what_is_flushed_after_the_end_is_refused_and_touches_no_descriptor(path: Path) -> None:
    async with AuditFile(path, CLOCK) as audit:
        staged = audit.stage([record(1)])
    with path.with_name("other").open("w+b") as other:  # gets a number that was the trail's
        with pytest.raises(UnavailableError, match="closed") as refused:
            staged.flush()
        staged.flushed()
        other.seek(0)
        assert other.read() == b""

    assert refused.value.reason is FailReason.SHUTTING_DOWN
    assert audit.head.seq == 0


async def test_flushes_that_report_out_of_order_never_take_the_head_back(path: Path) -> None:
    async with AuditFile(path, CLOCK) as audit:
        first, second = audit.stage([record(1)]), audit.stage([record(2)])
        for staged in (first, second):
            staged.flush()
        for staged in (second, first):
            staged.flushed()

        assert audit.head.seq == 2
        assert read_head(path) == audit.head


async def test_a_record_of_a_cancelled_caller_is_written_whole(path: Path) -> None:
    async with AuditFile(path, CLOCK) as audit:
        task = asyncio.ensure_future(audit.append(record(1)))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    assert verify(path).records == 1
