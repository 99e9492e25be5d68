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

from signer.adapters.audit_file.chain import Head, extend, genesis
from signer.adapters.audit_file.head_file import HeadFile, head_path, read_head
from signer.adapters.audit_file.tail import read_tail
from signer.adapters.audit_file.write_all import write_all
from signer.adapters.group_commit import GroupCommit
from signer.domain.errors import ConfigurationError, SignerError, UnavailableError
from signer.domain.reasons import FailReason
from signer.ports.audit import AuditRecord
from signer.ports.clock import Clock


class AuditFile:
    """Implements `signer.ports.audit.Audit`; an async context manager.

    Opening raises ConfigurationError for a file that another signer holds, whose end is no sound record, or
    that is shorter than the head noted beside it. A torn last line is moved to `FILE.torn-<seq>`; `torn`
    names that file.
    """

    def __init__(self, path: Path, clock: Clock) -> None:
        self._path = path
        self._clock = clock
        self._torn: Path | None = None

    async def __aenter__(self) -> Self:
        self._store = await asyncio.to_thread(self._open)
        self._group: GroupCommit[_Append] = GroupCommit(
            self._store, name="audit file", unavailable=FailReason.AUDIT_UNAVAILABLE
        )
        self._group.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._group.close()
        self._store.close()

    @property
    def torn(self) -> Path | None:
        """Where opening moved a torn last line, or None. Worth a warning: nobody acted upon it."""
        return self._torn

    @property
    def works(self) -> bool:
        """Whether records are taken; after one failed write none are until the next start."""
        return not self._store.is_broken

    @property
    def head(self) -> Head:
        """End of the durable chain: the thing to keep elsewhere."""
        return self._store.head

    async def append(self, record: AuditRecord) -> None:
        """Make the record durable. Raises UnavailableError when it cannot be written, and ever after."""
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._group.add(_Append(record, future))
        await future

    def _open(self) -> "_Store":
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
            return _Store(path, descriptor, heads, head, resources.pop_all())
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


class _Store:
    """The audit file's side of group commit."""

    def __init__(
        self, path: Path, descriptor: int, heads: HeadFile, head: Head, resources: ExitStack
    ) -> None:
        self._path = path
        self._descriptor = descriptor
        self._heads = heads
        self._resources = resources
        self._broken = False
        self._next = head
        self.head = head

    def stage(self, members: Sequence[_Append]) -> None:
        if self._broken:
            raise UnavailableError(
                FailReason.AUDIT_UNAVAILABLE,
                f"the audit file {self._path} failed earlier; it is checked and opened again by a restart",
            )
        lines = []
        for member in members:
            line, self._next = extend(self._next, member.record)
            lines.append(line)
        try:
            write_all(self._descriptor, b"".join(lines))
        except OSError as error:
            self.abandon()
            raise UnavailableError(
                FailReason.AUDIT_UNAVAILABLE, f"the audit file {self._path} could not be written: {error}"
            ) from error

    @property
    def is_broken(self) -> bool:
        return self._broken

    def flush(self) -> None:
        os.fdatasync(self._descriptor)

    def flushed(self) -> None:
        self.head = self._next
        try:
            self._heads.write(self._next)
        except OSError:
            # These records are durable; the next ones would not be covered by a head.
            self.abandon()

    def abandon(self) -> None:
        # What reached the disk is unknown now; only reading the file again can tell.
        self._broken = True

    def close(self) -> None:
        self._resources.close()


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
