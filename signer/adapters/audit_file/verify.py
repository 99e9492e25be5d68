"""Verify a trail: finds the first changed, missing, reordered or inserted record. Repairs nothing.

A cut at the end leaves a valid chain; it is found against a head that somebody kept: the file beside the
trail, or one given by the caller. A whole chain that was forged anew from its genesis is found only against
a head kept elsewhere.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from signer.adapters.audit_file.chain import NO_HASH, Head, read_link
from signer.adapters.audit_file.head_file import head_path, read_head
from signer.domain.errors import ConfigurationError


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """What is wrong first, at which line of the file (the first line is 1)."""

    line: int
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifyReport:
    """`records` decisions are sound (genesis not counted) ending in `head_hash`; `problem` comes after."""

    records: int
    head_hash: str
    problem: Problem | None


def verify(path: Path, expected_head: Head | None = None) -> VerifyReport:
    """Read the whole trail. Raises ConfigurationError when it cannot be read at all."""
    try:
        noted = read_head(path)
        with path.open("rb") as lines:
            return _verify(lines, _expected(path, noted, expected_head))
    except OSError as error:
        raise ConfigurationError(f"{path}: the audit file cannot be read ({error.strerror})") from error
    except ValueError as error:
        raise ConfigurationError(f"{path}: the noted head cannot be used: {error}") from error


def _expected(path: Path, noted: Head | None, given: Head | None) -> tuple[tuple[str, Head], ...]:
    sources = ((str(head_path(path)), noted), ("the expected head", given))
    return tuple((name, head) for name, head in sources if head is not None)


def _verify(lines: Iterable[bytes], expected: tuple[tuple[str, Head], ...]) -> VerifyReport:
    head = Head(seq=-1, hash=NO_HASH)
    for number, line in enumerate(lines, 1):
        try:
            following = _follow(head, line)
            _compare(following, expected)
        except ValueError as error:
            return _report(head, Problem(line=number, why=str(error)))
        head = following
    for name, wanted in expected:
        if wanted.seq > head.seq:
            missing = f"the file ends at record {head.seq}, and {name} knows record {wanted.seq}: it was cut"
            return _report(head, Problem(line=head.seq + 2, why=missing))
    if head.seq < 0:
        return _report(head, Problem(line=1, why="the file is empty: not even its genesis is there"))
    return _report(head, None)


def _follow(head: Head, line: bytes) -> Head:
    if not line.endswith(b"\n"):
        raise ValueError("it is torn: no newline at its end")
    link = read_link(line[:-1])
    if link.seq != head.seq + 1:
        raise ValueError(
            f"it is record {link.seq} where {head.seq + 1} is due: missing, inserted or reordered"
        )
    if link.prev != head.hash:
        raise ValueError("it does not follow the record before it: one of the two was changed or inserted")
    return Head(seq=link.seq, hash=link.hash)


def _compare(head: Head, expected: tuple[tuple[str, Head], ...]) -> None:
    for name, wanted in expected:
        if wanted.seq == head.seq and wanted.hash != head.hash:
            raise ValueError(f"record {head.seq} is another one than {name} knows: the trail was rewritten")


def _report(head: Head, problem: Problem | None) -> VerifyReport:
    return VerifyReport(records=max(head.seq, 0), head_hash=head.hash, problem=problem)
