"""The open audit file: lines are written in the loop's thread, in one order, and synced by whoever flushes.

The file's own group commit flushes what is appended alone; the ledger flushes the decisions of its
reservations with its own COMMIT (ADR 0061). Both may be at it at once.
"""

import os
import threading
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from signer.adapters.audit_file.chain import Head, extend
from signer.adapters.audit_file.head_file import HeadFile
from signer.adapters.audit_file.write_all import write_all
from signer.domain.errors import UnavailableError
from signer.domain.reasons import FailReason
from signer.ports.audit import AuditRecord


class Lines:
    """Chain and descriptor; `head` is the end of what is durable.

    After a failure nothing is taken any more: only reading the file again tells what is there.
    """

    def __init__(
        self, path: Path, descriptor: int, heads: HeadFile, head: Head, resources: ExitStack
    ) -> None:
        self._path = path
        self._descriptor = descriptor
        self._heads = heads
        self._resources = resources
        self._syncing = threading.Lock()
        self._broken = False
        self._closed = False
        self._end = head
        self.head = head

    @property
    def is_broken(self) -> bool:
        """Whether a write failed."""
        return self._broken

    def check(self) -> None:
        """Raises UnavailableError after a failure and once it is closed."""
        if self._closed:
            raise UnavailableError(FailReason.SHUTTING_DOWN, "the audit file is closed")
        if self._broken:
            raise UnavailableError(
                FailReason.AUDIT_UNAVAILABLE,
                f"the audit file {self._path} failed earlier; it is checked and opened again by a restart",
            )

    def stage(self, records: Sequence[AuditRecord]) -> "StagedLines":
        """Write the records behind all others, in the loop's thread. Raises UnavailableError."""
        self.check()
        lines = []
        for record in records:
            line, self._end = extend(self._end, record)
            lines.append(line)
        try:
            write_all(self._descriptor, b"".join(lines))
        except OSError as error:
            raise self._failed(error) from error
        return StagedLines(self, self._end)

    def sync(self) -> None:
        """Make every line durable that is written; blocks. Raises UnavailableError."""
        # The kernel tells a descriptor of a lost write once; whoever asks at the same time must hear it, too.
        with self._syncing:
            self.check()
            try:
                os.fdatasync(self._descriptor)
            except OSError as error:
                raise self._failed(error) from error

    def note(self, end: Head) -> None:
        """Everything up to `end` is durable. Flushes may report out of order."""
        if self._closed or end.seq <= self.head.seq:
            return
        self.head = end
        try:
            self._heads.write(end)
        except OSError:
            # These records are durable; the next ones would not be covered by a head.
            self.give_up()

    def give_up(self) -> None:
        """Take nothing any more: what reached the disk is unknown."""
        self._broken = True

    def close(self) -> None:
        """Close the files; what others staged and did not sync yet is refused to them. Raises OSError."""
        with self._syncing:  # a descriptor that is in use must not become another file's
            self._closed = True
            self._resources.close()

    def _failed(self, error: OSError) -> UnavailableError:
        self.give_up()
        return UnavailableError(
            FailReason.AUDIT_UNAVAILABLE, f"the audit file {self._path} could not be written: {error}"
        )


class StagedLines:
    """Implements `signer.adapters.shared_trail.StagedRecords`: all lines up to an end."""

    __slots__ = ("_end", "_lines")

    def __init__(self, lines: Lines, end: Head) -> None:
        self._lines = lines
        self._end = end

    def flush(self) -> None:
        """Make them durable; blocks. Raises UnavailableError."""
        self._lines.sync()

    def flushed(self) -> None:
        """Note how far the file is durable."""
        self._lines.note(self._end)
