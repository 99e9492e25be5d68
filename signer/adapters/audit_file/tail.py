"""The end of the file at opening. A last line that a crash tore is moved aside; all else is refused."""

import os
from pathlib import Path

from signer.adapters.audit_file.chain import Head, read_link
from signer.domain.errors import ConfigurationError

_BLOCK = 64 * 1024


def read_tail(path: Path, descriptor: int) -> tuple[Head | None, Path | None]:
    """Head of the last sound record (None for an empty file), and where a torn line went.

    Torn means: no newline, or no JSON, at the very end. Such a record was never acknowledged, because that
    waits for the disk. Raises ConfigurationError when the last whole line is no sound record; OSError.
    """
    size = os.fstat(descriptor).st_size
    if size == 0:
        return None, None
    line, start = _last_line(descriptor, size)
    if line.endswith(b"\n") and _looks_whole(line):
        return _head_of(path, line), None
    before, _ = _last_line(descriptor, start) if start else (b"", 0)
    head = _head_of(path, before) if before else None
    torn = _move_aside(path, line, 0 if head is None else head.seq + 1)
    os.ftruncate(descriptor, start)
    os.fsync(descriptor)
    return head, torn


def _last_line(descriptor: int, end: int) -> tuple[bytes, int]:
    """Last line before `end`, with its newline if it has one, and where it starts."""
    start, tail = end, b""
    while start > 0:
        begin = max(0, start - _BLOCK)
        tail = os.pread(descriptor, start - begin, begin) + tail
        start = begin
        newline = tail.rfind(b"\n", 0, len(tail) - 1)
        if newline >= 0:
            return tail[newline + 1 :], start + newline + 1
    return tail, 0


def _looks_whole(line: bytes) -> bool:
    return line.startswith(b"{") and line.endswith(b'"}\n')


def _head_of(path: Path, line: bytes) -> Head:
    try:
        link = read_link(line.removesuffix(b"\n"))
    except ValueError as error:
        raise ConfigurationError(
            f"{path}: the last record cannot be trusted: {error}. Run `airlock-signer audit verify`, keep "
            "the file as evidence and move it aside"
        ) from error
    return Head(seq=link.seq, hash=link.hash)


def _move_aside(path: Path, line: bytes, seq: int) -> Path:
    number = 0
    while True:
        name = f"{path.name}.torn-{seq}" if number == 0 else f"{path.name}.torn-{seq}-{number}"
        torn = path.with_name(name)
        try:
            descriptor = os.open(torn, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        except FileExistsError:
            number += 1
            continue
        try:
            os.write(descriptor, line)
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        return torn
