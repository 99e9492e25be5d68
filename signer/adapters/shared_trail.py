"""The audit trail as a ledger sees it: records that become durable in the ledger's own flush (ADR 0061)."""

from collections.abc import Sequence
from typing import Protocol

from signer.ports.audit import AuditRecord


class StagedRecords(Protocol):
    """Records that are written and not yet durable."""

    def flush(self) -> None:
        """Make them durable; blocks, in a flushing thread. Raises UnavailableError."""
        ...

    def flushed(self) -> None:
        """They are durable; in the loop's thread, before anybody is answered."""
        ...


class SharedTrail(Protocol):
    """A trail that others may flush."""

    def check(self) -> None:
        """Raises UnavailableError when no record is taken any more."""
        ...

    def stage(self, records: Sequence[AuditRecord]) -> StagedRecords:
        """Write the records, in the loop's thread. Raises UnavailableError, and takes none ever after."""
        ...
