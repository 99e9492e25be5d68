"""The audit file: a record is on disk before `append` returns. After a failure it refuses until reopened."""

import asyncio
import fcntl
import os
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Self
from uuid import uuid4

from signer.adapters.audit_file.chain import Head, genesis
from signer.adapters.audit_file.head_file import HeadFile, head_path, read_head
from signer.adapters.audit_file.lines import Lines, StagedLines
from signer.adapters.audit_file.tail import read_tail
from signer.adapters.audit_file.write_all import write_all
from signer.adapters.group_commit import GroupCommit
from signer.domain.errors import ConfigurationError, SignerError
from signer.domain.reasons import FailReason
from signer.ports.audit import AuditRecord
from signer.ports.clock import Clock


class AuditFile:
    """Implements `signer.ports.audit.Audit` and `SharedTrail`; an async context manager.

    Opening raises ConfigurationError for a file that another signer holds, whose end is no sound record, or
    that is shorter than the head noted beside it. A torn last line is moved to `FILE.torn-<seq>`; `torn`
    names that file.
    """

    def __init__(self, path: Path, clock: Clock) -> None:
        self._path = path
        self._clock = clock
        self._torn: Path | None = None

    async def __aenter__(self) -> Self:
        self._lines = await asyncio.to_thread(self._open)
        self._group: GroupCommit[_Append] = GroupCommit(
            _Appending(self._lines), name="audit file", unavailable=FailReason.AUDIT_UNAVAILABLE
        )
        self._group.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._group.close()
        self._lines.close()

    @property
    def torn(self) -> Path | None:
        """Where opening moved a torn last line, or None. Worth a warning: nobody acted upon it."""
        return self._torn

    @property
    def works(self) -> bool:
        """Whether records are taken; after one failed write none are until the next start."""
        return not self._lines.is_broken

    @property
    def head(self) -> Head:
        """End of the durable chain: the thing to keep elsewhere."""
        return self._lines.head

    async def append(self, record: AuditRecord) -> None:
        """Make the record durable. Raises UnavailableError when it cannot be written, and ever after."""
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._group.add(_Append(record, future))
        await future

    def check(self) -> None:
        """Raises UnavailableError when no record is taken any more."""
        self._lines.check()

    def stage(self, records: Sequence[AuditRecord]) -> StagedLines:
        """Write records that the caller flushes, in the loop's thread. Raises UnavailableError."""
        return self._lines.stage(records)

    def _open(self) -> Lines:
        path = self._path
        with ExitStack() as resources:
            try:
                descriptor = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
                resources.callback(os.close, descriptor)
                _lock(path, descriptor)
                os.fchmod(descriptor, 0o600)
                head = self._recover(descriptor)
                heads = HeadFile(path)
                resources.callback(heads.close)
                heads.write(head)
                _sync_folder(path.parent)
            except OSError as error:
                raise ConfigurationError(
                    f"{path}: the audit file cannot be used ({error.strerror}): its folder must be ours"
                ) from error
            return Lines(path, descriptor, heads, head, resources.pop_all())
        raise AssertionError  # an ExitStack of ours swallows nothing

    def _recover(self, descriptor: int) -> Head:
        head, self._torn = read_tail(self._path, descriptor)
        _check_not_cut(self._path, head)
        if head is None:
            line, head = genesis(uuid4().hex, self._clock.now())
            write_all(descriptor, line)
            os.fsync(descriptor)
        return head


class _Append:
    """A record and the future of whoever waits for it, who may be gone."""

    __slots__ = ("_future", "record")

    def __init__(self, record: AuditRecord, future: asyncio.Future[None]) -> None:
        self.record = record
        self._future = future

    def resolve(self) -> None:
        if not self._future.done():
            self._future.set_result(None)

    def reject(self, error: SignerError) -> None:
        if not self._future.done():
            self._future.set_exception(error)


class _Appending:
    """The file's own group commit: records that nobody else flushes."""

    def __init__(self, lines: Lines) -> None:
        self._lines = lines

    def stage(self, members: Sequence[_Append]) -> None:
        self._staged = self._lines.stage([member.record for member in members])

    def flush(self) -> None:
        self._staged.flush()

    def flushed(self) -> None:
        self._staged.flushed()

    def abandon(self) -> None:
        self._lines.give_up()


def _lock(path: Path, descriptor: int) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise ConfigurationError(
            f"{path}: another signer writes this audit file; one signer per file is allowed"
        ) from error


def _check_not_cut(path: Path, head: Head | None) -> None:
    try:
        noted = read_head(path)
    except ValueError as error:
        raise ConfigurationError(f"{path}: {error}; restore it or move both files aside") from error
    if noted is None:
        return
    ends_at = -1 if head is None else head.seq
    if ends_at < noted.seq or (head is not None and ends_at == noted.seq and head.hash != noted.hash):
        raise ConfigurationError(
            f"{path}: the audit file ends at record {ends_at}, and {head_path(path).name} knows record "
            f"{noted.seq} with hash {noted.hash}: records are missing or changed. Keep both files as "
            "evidence and move them aside"
        )


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
