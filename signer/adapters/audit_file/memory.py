"""The audit trail in memory, for the mock signer and for tests: the same chain, gone with the process."""

from collections.abc import Sequence
from uuid import uuid4

from signer.adapters.audit_file.chain import extend, genesis
from signer.ports.audit import AuditRecord
from signer.ports.clock import Clock


class MemoryAudit:
    """Implements `signer.ports.audit.Audit` and `SharedTrail`. Keeps at most the newest `keep` records."""

    def __init__(self, clock: Clock, *, keep: int = 10_000) -> None:
        line, self._head = genesis(uuid4().hex, clock.now())
        self._keep = keep
        self._lines = [line]
        self._records: list[AuditRecord] = []

    @property
    def records(self) -> Sequence[AuditRecord]:
        """Records as they were appended."""
        return tuple(self._records)

    @property
    def lines(self) -> Sequence[bytes]:
        """Lines as a file would hold them."""
        return tuple(self._lines)

    async def append(self, record: AuditRecord) -> None:
        """Add the record to the chain."""
        self.stage((record,))

    def check(self) -> None:
        """Memory takes every record."""

    def stage(self, records: Sequence[AuditRecord]) -> "_Kept":
        """Add the records to the chain; there is nothing to flush."""
        for record in records:
            line, self._head = extend(self._head, record)
            self._lines.append(line)
            self._records.append(record)
        del self._lines[: -self._keep - 1], self._records[: -self._keep]
        return _Kept()


class _Kept:
    def flush(self) -> None:
        pass

    def flushed(self) -> None:
        pass
