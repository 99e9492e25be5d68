"""Whatever is done to a trail or to its checkpoints is found against the pinned public key."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from signer.adapters.audit_file import verify
from signer.adapters.audit_file.chain import NO_HASH, _line
from signer.adapters.audit_file.checkpoint_file import checkpoint_path
from signer.adapters.audit_file.checkpoint_line import read_line, write_line
from signer.adapters.audit_file.head_file import head_path
from signer.adapters.audit_file.public_keys import PublicKeys, dump, load
from signer.adapters.audit_file.verify_checkpoints import CheckpointReport, Gap, verify_checkpoints
from signer.domain.errors import ConfigurationError
from signer.domain.time import UnixMs
from tests.fakes.clock import START, FakeClock
from tests.unit.audit.checkpoints import RHYTHM, MemoryCheckpointKey, write_checkpointed

Lines = list[bytes]


@pytest.fixture
def key() -> MemoryCheckpointKey:
    return MemoryCheckpointKey()


@pytest.fixture
async def path(tmp_path: Path, key: MemoryCheckpointKey) -> Path:
    path = tmp_path / "audit.jsonl"
    await write_checkpointed(path, key)
    return path


def judge(path: Path, keys: PublicKeys | None, *, now: int = START) -> CheckpointReport:
    chain = verify(path)
    return verify_checkpoints(
        path, checkpoint_path(path), keys, records=chain.records, rhythm=RHYTHM, now=UnixMs(now)
    )


def problem(path: Path, key: MemoryCheckpointKey) -> str:
    found = judge(path, key.public).problem
    assert found is not None
    return f"{found.line}: {found.why}"


def test_an_untouched_trail_is_covered_to_its_end(path: Path, key: MemoryCheckpointKey) -> None:
    assert judge(path, key.public) == CheckpointReport(
        sound=3, covered=12, uncovered=0, signed=True, gaps=(), problem=None
    )


async def test_checkpoints_of_every_version_of_a_rotated_key_are_good(tmp_path: Path) -> None:
    path, key = tmp_path / "audit.jsonl", MemoryCheckpointKey()
    await write_checkpointed(path, key, rounds=1)
    key.rotate()
    await write_checkpointed(path, key, rounds=1)

    assert judge(path, key.public).problem is None
    assert [read_line(line).key_version for line in _lines(path)] == [1, 2]


def test_a_trail_cut_with_its_head_file_removed_is_found(path: Path, key: MemoryCheckpointKey) -> None:
    path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[:-2]))
    head_path(path).unlink()

    assert verify(path).problem is None
    assert "3: it knows record 12, and the audit file is sound up to record 10 only" in problem(path, key)


def test_a_trail_rewritten_with_a_whole_new_chain_is_found(path: Path, key: MemoryCheckpointKey) -> None:
    _rechain(path, lambda fields: {**fields, "verdict": "denied"} if fields["seq"] == 6 else fields)
    head_path(path).unlink()

    assert verify(path).problem is None
    assert "2: record 8 is another one than it knows: the audit file was rewritten" in problem(path, key)


def test_a_record_removed_and_the_chain_made_anew_is_found(path: Path, key: MemoryCheckpointKey) -> None:
    _rechain(path, lambda fields: None if fields["seq"] == 2 else fields)
    head_path(path).unlink()

    assert verify(path).problem is None
    assert problem(path, key).startswith("1: record 4 is another one")


async def test_a_rewritten_trail_with_checkpoints_of_another_key_is_found(
    path: Path, key: MemoryCheckpointKey
) -> None:
    for file in (path, head_path(path), checkpoint_path(path)):
        file.unlink()
    await write_checkpointed(path, MemoryCheckpointKey(seed=2))

    assert judge(path, None).problem is None
    assert "1: its signature is not that of airlock-audit version 1" in problem(path, key)


def _swap(lines: Lines) -> Lines:
    return [lines[0], lines[2], lines[1]]


def _change_seq(lines: Lines) -> Lines:
    return [*lines[:1], _edit(lines[1], seq=7), *lines[2:]]


def _change_time(lines: Lines) -> Lines:
    return [*lines[:1], _edit(lines[1], at=START + 5), *lines[2:]]


def _change_key(lines: Lines) -> Lines:
    return [_edit(lines[0], key="another"), *lines[1:]]


def _change_version(lines: Lines) -> Lines:
    return [_edit(lines[0], version=2), *lines[1:]]


@pytest.mark.parametrize(
    ("tamper", "why"),
    [
        (
            lambda lines: lines[1:],
            "1: it follows the checkpoint of record 4, and the one before it is of record -1",
        ),
        (lambda lines: [lines[0], lines[2]], "2: it follows the checkpoint of record 8"),
        (_swap, "2: it follows the checkpoint of record 8"),
        (lambda lines: [lines[0], lines[0], *lines[1:]], "2: it follows the checkpoint of record -1"),
        (lambda lines: [*lines, b"{}\n"], "4: it is no checkpoint"),
        (lambda lines: [*lines, b"tomorrow\n"], "4: it is no JSON"),
        (lambda lines: [*lines[:-1], lines[-1][:-1]], "3: it is torn"),
        (lambda _lines: [], "1: there is no checkpoint in it"),
        (_change_seq, "2: its signature is not that of"),
        (_change_time, "2: its signature is not that of"),
        (_change_key, "1: it names the key 'another'"),
        (_change_version, "1: it is signed by version 2 of airlock-audit, pinned are versions 1"),
    ],
)
def test_tampering_with_checkpoints_is_found_at_its_place(
    path: Path, key: MemoryCheckpointKey, tamper: Callable[[Lines], Lines], why: str
) -> None:
    checkpoint_path(path).write_bytes(b"".join(tamper(_lines(path))))

    assert problem(path, key).startswith(why)


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"seq": -1}, "its seq is no number"),
        ({"at": True}, "its at is no number"),
        ({"hash": "F" * 64}, "its hash is not of the form"),
        ({"key": "a b"}, "its key is not of the form"),
        ({"signature": "AAAA"}, "its signature is not 64 bytes"),
        ({"signature": "!"}, "its signature is not 64 bytes"),
        ({"version": 0}, "its version is no number from 1"),
    ],
)
def test_a_malformed_checkpoint_is_named(
    path: Path, key: MemoryCheckpointKey, changes: dict[str, object], why: str
) -> None:
    lines = _lines(path)
    checkpoint_path(path).write_bytes(b"".join([_edit(lines[0], **changes), *lines[1:]]))

    assert problem(path, key).startswith(f"1: {why}")


def test_a_checkpoint_removed_at_the_end_leaves_records_that_are_not_covered(
    path: Path, key: MemoryCheckpointKey
) -> None:
    checkpoint_path(path).write_bytes(b"".join(_lines(path)[:-1]))
    soon = judge(path, key.public)
    later = judge(path, key.public, now=START + 3 * 3_600_000)

    assert (soon.problem, soon.uncovered, soon.gaps) == (None, 4, ())
    assert later.gaps == (Gap(first=9, last=12, late_s=3 * 3_600, covered=False),)


async def test_too_many_records_without_a_checkpoint_are_a_gap(
    tmp_path: Path, key: MemoryCheckpointKey
) -> None:
    path = tmp_path / "audit.jsonl"
    await write_checkpointed(path, key, rounds=2, each=2 * RHYTHM.every_records + 1)

    gaps = judge(path, key.public).gaps
    assert [(gap.first, gap.last, gap.records, gap.covered) for gap in gaps] == [
        (0, 21, 22, True),
        (22, 42, 21, True),
    ]


async def test_a_checkpoint_long_after_its_records_is_a_gap(tmp_path: Path, key: MemoryCheckpointKey) -> None:
    path, clock = tmp_path / "audit.jsonl", FakeClock()
    await write_checkpointed(path, key, rounds=1, clock=clock)
    clock.advance_s(3 * RHYTHM.every_s)  # the records of the trail say START
    await write_checkpointed(path, key, rounds=1, clock=clock)

    assert judge(path, key.public).gaps == (Gap(first=5, last=8, late_s=3 * RHYTHM.every_s, covered=True),)


def test_a_clock_that_went_back_between_checkpoints_is_found(path: Path) -> None:
    lines = _lines(path)
    older = read_line(lines[1])
    statement = replace(older.statement, at=UnixMs(START - 1))
    checkpoint_path(path).write_bytes(lines[0] + write_line(replace(older, statement=statement)) + lines[2])
    found = judge(path, None).problem

    assert found is not None
    assert (found.line, found.why) == (2, "it is older than the one before it")


def test_without_a_public_key_only_heads_are_compared(path: Path) -> None:
    report = judge(path, None)

    assert (report.problem, report.signed) == (None, False)


def test_pinned_keys_survive_their_file(tmp_path: Path, key: MemoryCheckpointKey) -> None:
    (tmp_path / "keys.json").write_text(dump(key.public))

    assert load(tmp_path / "keys.json") == key.public


@pytest.mark.parametrize(
    "text", ["tomorrow", "{}", '{"key": "k", "type": "ed25519", "public_keys": {"1": "AAAA"}}', None]
)
def test_a_file_of_keys_that_cannot_be_used_is_named(tmp_path: Path, text: str | None) -> None:
    if text is not None:
        (tmp_path / "keys.json").write_text(text)

    with pytest.raises(ConfigurationError, match=r"keys\.json: .*allowed is what"):
        load(tmp_path / "keys.json")


def test_missing_checkpoints_are_named(path: Path, key: MemoryCheckpointKey) -> None:
    checkpoint_path(path).unlink()

    with pytest.raises(ConfigurationError, match=r"checkpoints: cannot be read"):
        judge(path, key.public)


def _lines(path: Path) -> Lines:
    return checkpoint_path(path).read_bytes().splitlines(keepends=True)


def _edit(line: bytes, **changes: object) -> bytes:
    fields = {**json.loads(line), **changes}
    return json.dumps(fields, sort_keys=True, separators=(",", ":")).encode() + b"\n"


Fields = dict[str, str | int | None]


def _rechain(path: Path, change: Callable[[Fields], Fields | None]) -> None:
    """Changes records and makes every hash after them anew, as the owner of the host could."""
    written, previous, seq = [], NO_HASH, 0
    for line in path.read_bytes().splitlines():
        fields = change(json.loads(line))
        if fields is None:
            continue
        del fields["hash"]
        new, head = _line({**fields, "prev": previous, "seq": seq}, seq)
        written.append(new)
        previous, seq = head.hash, seq + 1
    path.write_bytes(b"".join(written))
