"""Compare a trail with its signed checkpoints: finds a cut or rewritten trail, and forged checkpoints.

A chain of hashes can be made anew from its genesis; a signature of a key that is elsewhere cannot. Changes
nothing. Checkpoints that were late are gaps: the trail is sound there, but between record and checkpoint
nothing but the host itself spoke for it.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from signer.adapters.audit_file.chain import Link, read_link
from signer.adapters.audit_file.checkpoint_line import read_line
from signer.adapters.audit_file.public_keys import PublicKeys
from signer.adapters.audit_file.verify import Problem
from signer.domain.checkpoints import NONE_BEFORE, Checkpoint, Rhythm, Statement
from signer.domain.errors import ConfigurationError
from signer.domain.time import MS_PER_S, UnixMs

_TOLERANCE = 2
"""A checkpoint counts as late at twice its rhythm: one may be under way while the next is due."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Gap:
    """Records `first` to `last` were covered late or not yet; `late_s` seconds after the first of them."""

    first: int
    last: int
    late_s: int
    covered: bool

    @property
    def records(self) -> int:
        """How many."""
        return self.last - self.first + 1


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckpointReport:
    """`sound` checkpoints speak for every record up to `covered`; `problem` is what comes after them.

    `signed` says whether signatures were checked. `uncovered` records follow the last checkpoint.
    """

    sound: int
    covered: int
    uncovered: int
    signed: bool
    gaps: tuple[Gap, ...]
    problem: Problem | None


def verify_checkpoints(
    trail: Path,
    checkpoints: Path,
    keys: PublicKeys | None,
    *,
    records: int,
    rhythm: Rhythm,
    now: UnixMs,
) -> CheckpointReport:
    """Judge every checkpoint of a trail whose chain is sound up to record `records`.

    Raises ConfigurationError when a file cannot be read. `keys` None compares heads only.
    """
    try:
        lines = checkpoints.read_bytes().splitlines(keepends=True)
    except OSError as error:
        raise ConfigurationError(f"{checkpoints}: cannot be read: {error.strerror}") from error
    parsed = tuple(_parsed(lines))
    wanted = {NONE_BEFORE + 1, records}
    for each in parsed:
        if isinstance(each, Checkpoint):
            wanted |= {each.statement.seq, each.statement.seq + 1}
    links = _links(trail, wanted, records)
    sound, problem = _judged(parsed, keys, links, records)
    if problem is None and not lines:
        problem = Problem(line=1, why="there is no checkpoint in it")
    covered = sound[-1].seq if sound else NONE_BEFORE
    return CheckpointReport(
        sound=len(sound),
        covered=covered,
        uncovered=max(records - covered, 0),
        signed=keys is not None,
        gaps=tuple(_gaps(sound, links, records, rhythm, now)),
        problem=problem,
    )


def _parsed(lines: list[bytes]) -> Iterator[Checkpoint | str]:
    for line in lines:
        try:
            yield read_line(line)
        except ValueError as error:
            yield str(error)


def _judged(
    parsed: tuple[Checkpoint | str, ...], keys: PublicKeys | None, links: Mapping[int, Link], records: int
) -> tuple[list[Statement], Problem | None]:
    sound: list[Statement] = []
    for number, each in enumerate(parsed, 1):
        try:
            if isinstance(each, str):
                raise ValueError(each)  # noqa: TRY004, TRY301 - what reading it said, at its place in the file
            if keys is not None:
                keys.check(each)
            _check_order(each.statement, sound)
            _check_record(each.statement, links, records)
        except ValueError as error:
            return sound, Problem(line=number, why=str(error))
        sound.append(each.statement)
    return sound, None


def _check_order(statement: Statement, before: list[Statement]) -> None:
    last = before[-1].seq if before else NONE_BEFORE
    if statement.after != last:
        raise ValueError(
            f"it follows the checkpoint of record {statement.after}, and the one before it is of record "
            f"{last}: one is missing, inserted or reordered"
        )
    if statement.seq <= last:
        raise ValueError(f"it is of record {statement.seq}, which the one before it covers already")
    if before and statement.at < before[-1].at:
        raise ValueError("it is older than the one before it")


def _check_record(statement: Statement, links: Mapping[int, Link], records: int) -> None:
    if statement.seq > records:
        raise ValueError(
            f"it knows record {statement.seq}, and the audit file is sound up to record {records} only: "
            "it was cut or changed"
        )
    if links[statement.seq].hash != statement.hash:
        raise ValueError(f"record {statement.seq} is another one than it knows: the audit file was rewritten")


def _gaps(
    sound: list[Statement], links: Mapping[int, Link], records: int, rhythm: Rhythm, now: UnixMs
) -> Iterator[Gap]:
    ends = [NONE_BEFORE, *(statement.seq for statement in sound)]
    for (before, end), statement in zip(pairwise(ends), sound, strict=True):
        yield from _gap(before, end, statement.at, links, rhythm, covered=True)
    if ends[-1] < records:
        yield from _gap(ends[-1], records, now, links, rhythm, covered=False)


def _gap(
    before: int, end: int, at: UnixMs, links: Mapping[int, Link], rhythm: Rhythm, *, covered: bool
) -> Iterator[Gap]:
    first = before + 1
    late_s = max(at - links[first].at, 0) // MS_PER_S
    gap = Gap(first=first, last=end, late_s=late_s, covered=covered)
    if gap.records > _TOLERANCE * rhythm.every_records or late_s > _TOLERANCE * rhythm.every_s:
        yield gap


def _links(trail: Path, wanted: set[int], records: int) -> Mapping[int, Link]:
    """Links of the wanted records of the sound part."""
    found: dict[int, Link] = {}
    try:
        with trail.open("rb") as lines:
            for seq, line in enumerate(lines):
                if seq > records:
                    break
                if seq in wanted:
                    found[seq] = read_link(line[:-1])
    except (OSError, ValueError) as error:
        raise ConfigurationError(f"{trail}: changed while it was read: {error}") from error
    return found
