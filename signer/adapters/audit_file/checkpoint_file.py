"""Checkpoints in a file beside the trail. Appends only; a checkpoint is on disk before `append` returns."""

import asyncio
import os
from pathlib import Path
from types import TracebackType
from typing import Self

from signer.adapters.audit_file.checkpoint_line import read_line, write_line
from signer.adapters.audit_file.write_all import write_all
from signer.domain.checkpoints import Checkpoint
from signer.domain.errors import ConfigurationError, UnavailableError
from signer.domain.reasons import FailReason
from signer.ports.checkpoints import Trail


def checkpoint_path(trail: Path) -> Path:
    """File beside the trail."""
    return trail.with_name(f"{trail.name}.checkpoints")


class CheckpointFile:
    """Implements `signer.ports.checkpoints.CheckpointBook`; an async context manager.

    Opening raises ConfigurationError when the last checkpoint knows a record that `trail` does not have: then
    records are missing. A last line that a crash tore was nobody's checkpoint yet; it is cut off, and `torn`
    says so.
    """

    def __init__(self, path: Path, trail: Trail) -> None:
        self._path = path
        self._trail = trail
        self._last: Checkpoint | None = None
        self._torn = False
        self._half_a_line = False
        self._writing: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._descriptor = await asyncio.to_thread(self._open)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.settled()
        os.close(self._descriptor)

    @property
    def last(self) -> Checkpoint | None:
        """The newest one."""
        return self._last

    @property
    def torn(self) -> bool:
        """Whether opening cut a torn line off."""
        return self._torn

    async def append(self, checkpoint: Checkpoint) -> None:
        """Make it durable. Raises UnavailableError; then the next one takes its place.

        A caller that is cancelled leaves the write under way; `settled` waits for it, and so does closing.
        """
        self._writing = asyncio.create_task(self._append(checkpoint))
        await asyncio.shield(self._writing)

    async def settled(self) -> None:
        """Wait for a write under way."""
        if self._writing is not None:
            await asyncio.wait({self._writing})

    async def _append(self, checkpoint: Checkpoint) -> None:
        await asyncio.to_thread(self._write, write_line(checkpoint))
        self._last = checkpoint

    def _write(self, line: bytes) -> None:
        if self._half_a_line:
            raise UnavailableError(
                FailReason.AUDIT_UNAVAILABLE, f"{self._path}: ends in half a line; a restart cuts it off"
            )
        size = os.fstat(self._descriptor).st_size
        try:
            write_all(self._descriptor, line)
            os.fdatasync(self._descriptor)
        except OSError as error:
            self._cut_off(size)
            raise UnavailableError(
                FailReason.AUDIT_UNAVAILABLE, f"{self._path}: the checkpoint could not be written: {error}"
            ) from error

    def _cut_off(self, size: int) -> None:
        try:
            os.ftruncate(self._descriptor, size)
        except OSError:
            # A whole line behind half a one would make two checkpoints unreadable.
            self._half_a_line = True

    def _open(self) -> int:
        path = self._path
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
            content = path.read_bytes()
            whole = content.rfind(b"\n") + 1
            self._torn = whole != len(content)
            if self._torn:
                os.ftruncate(descriptor, whole)
        except OSError as error:
            raise ConfigurationError(
                f"{path}: the checkpoint file cannot be used ({error.strerror}): its folder must be ours"
            ) from error
        try:
            self._last = _last(path, content[:whole])
            _check_covers(path, self._last, self._trail)
        except ConfigurationError:
            os.close(descriptor)
            raise
        return descriptor


def _last(path: Path, content: bytes) -> Checkpoint | None:
    lines = content.splitlines(keepends=True)
    if not lines:
        return None
    try:
        return read_line(lines[-1])
    except ValueError as error:
        raise ConfigurationError(
            f"{path}:{len(lines)}: the last checkpoint cannot be read: {error}; restore the file "
            "or move it aside"
        ) from error


def _check_covers(path: Path, last: Checkpoint | None, trail: Trail) -> None:
    if last is None:
        return
    known, head = last.statement, trail.head
    if head.seq < known.seq or (head.seq == known.seq and head.hash != known.hash):
        raise ConfigurationError(
            f"{path}: the audit file ends at record {head.seq}, and a signed checkpoint knows record "
            f"{known.seq} with hash {known.hash}: records are missing or changed. Keep both files as "
            "evidence and move them aside"
        )
