"""Whatever is done to a trail is found, with its place."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from signer.adapters.audit_file import Head, MemoryAudit, VerifyReport, verify
from signer.adapters.audit_file.head_file import head_path
from signer.domain.errors import ConfigurationError
from tests.fakes.clock import FakeClock
from tests.unit.audit.trail import record, write_trail

Lines = list[bytes]


@pytest.fixture
async def path(tmp_path: Path) -> Path:
    path = tmp_path / "audit.jsonl"
    await write_trail(path, 5)
    return path


async def test_an_untouched_trail_is_sound(tmp_path: Path) -> None:
    head = await write_trail(tmp_path / "audit.jsonl", 5)
    report = verify(tmp_path / "audit.jsonl", head)

    assert report == VerifyReport(records=5, head_hash=head.hash, problem=None)


def _change(lines: Lines) -> Lines:
    return [*lines[:2], lines[2].replace(b'"approved"', b'"denied"'), *lines[3:]]


def _change_last_digit_of_hash(lines: Lines) -> Lines:
    flipped = b"0" if lines[2][-4:-3] != b"0" else b"1"
    return [*lines[:2], lines[2][:-4] + flipped + lines[2][-3:], *lines[3:]]


def _remove(lines: Lines) -> Lines:
    return lines[:2] + lines[3:]


def _swap(lines: Lines) -> Lines:
    return [*lines[:2], lines[3], lines[2], *lines[4:]]


def _repeat(lines: Lines) -> Lines:
    return [*lines[:2], lines[1], *lines[2:]]


def _insert_text(lines: Lines) -> Lines:
    return [*lines[:2], b"{}\n", *lines[2:]]


def _behead(lines: Lines) -> Lines:
    return lines[1:]


def _respace(lines: Lines) -> Lines:
    return [*lines[:2], lines[2].replace(b",", b", ", 1), *lines[3:]]


@pytest.mark.parametrize(
    ("tamper", "line", "why"),
    [
        (_change, 3, "changed"),
        (_change_last_digit_of_hash, 3, "changed"),
        (_remove, 3, "record 3 where 2 is due"),
        (_swap, 3, "record 3 where 2 is due"),
        (_repeat, 3, "record 1 where 2 is due"),
        (_insert_text, 3, "not a"),
        (_behead, 1, "record 1 where 0 is due"),
        (_respace, 3, "changed"),
    ],
)
def test_tampering_is_found_at_its_place(
    path: Path, tamper: Callable[[Lines], Lines], line: int, why: str
) -> None:
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(tamper(lines)))
    problem = verify(path).problem

    assert problem is not None
    assert problem.line == line
    assert why in problem.why


def test_a_record_with_a_hash_made_anew_breaks_at_the_next_one(path: Path) -> None:
    lines = path.read_bytes().splitlines(keepends=True)
    forged = _rehash(lines[2].replace(b'"approved"', b'"denied"'))
    path.write_bytes(b"".join([*lines[:2], forged, *lines[3:]]))
    problem = verify(path).problem

    assert problem is not None
    assert (problem.line, "does not follow" in problem.why) == (4, True)


def test_a_trail_cut_at_its_end_is_found_by_the_head_beside_it(path: Path) -> None:
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(lines[:-2]))
    report = verify(path)

    assert report.records == 3
    assert report.problem is not None
    assert report.problem.line == 5
    assert "it was cut" in report.problem.why


async def test_a_cut_with_the_head_rewritten_is_found_only_by_a_head_kept_elsewhere(
    tmp_path: Path,
) -> None:
    path = tmp_path / "audit.jsonl"
    kept = await write_trail(path, 5)
    path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[:-2]))
    head_path(path).unlink()
    alone = verify(path)
    with_head = verify(path, kept)

    assert alone.problem is None
    assert with_head.problem is not None
    assert "the expected head knows record 5" in with_head.problem.why


async def test_a_trail_forged_anew_is_found_only_by_a_head_kept_elsewhere(tmp_path: Path) -> None:
    kept = await write_trail(tmp_path / "audit.jsonl", 3)
    await write_trail(tmp_path / "forged.jsonl", 4)
    report = verify(tmp_path / "forged.jsonl", kept)

    assert report.problem is not None
    assert report.problem.line == 4
    assert "rewritten" in report.problem.why


def test_a_torn_end_is_found(path: Path) -> None:
    path.write_bytes(path.read_bytes() + b'{"seq":6,"pr')
    problem = verify(path).problem

    assert problem is not None
    assert (problem.line, "torn" in problem.why) == (7, True)


def test_an_empty_file_is_no_trail(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    path.touch()

    assert verify(path).problem is not None


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"nothing.jsonl: the audit file cannot be read"):
        verify(tmp_path / "nothing.jsonl")


def test_an_unreadable_head_is_named(path: Path) -> None:
    head_path(path).write_text("tomorrow")

    with pytest.raises(ConfigurationError, match=r"audit\.jsonl\.head is not"):
        verify(path)


async def test_a_trail_in_memory_verifies_like_a_file(tmp_path: Path) -> None:
    audit = MemoryAudit(FakeClock())
    await audit.append(record(1))
    (tmp_path / "written.jsonl").write_bytes(b"".join(audit.lines))

    assert audit.records == (record(1),)
    assert verify(tmp_path / "written.jsonl").records == 1
    assert verify(tmp_path / "written.jsonl").problem is None


async def test_a_trail_in_memory_forgets_the_oldest() -> None:
    audit = MemoryAudit(FakeClock(), keep=3)
    for number in range(10):
        await audit.append(record(number))

    assert [kept.nonce for kept in audit.records] == [7, 8, 9]


@settings(max_examples=150, deadline=None)
@given(data=st.data())
async def test_no_single_changed_byte_goes_unnoticed(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    path = tmp_path_factory.mktemp("trail") / "audit.jsonl"
    head: Head = await write_trail(path, 3)
    content = bytearray(path.read_bytes())
    position = data.draw(st.integers(0, len(content) - 1))
    content[position] ^= data.draw(st.integers(1, 255))
    path.write_bytes(content)

    assert verify(path, head).problem is not None


def _rehash(line: bytes) -> bytes:
    """The line with a hash that fits its changed content: what somebody would forge."""
    from signer.adapters.audit_file.chain import _line  # noqa: PLC0415

    fields = json.loads(line)
    del fields["hash"]
    return _line(fields, 0)[0]
