"""The ledger's side of group commit: many units, one COMMIT. A unit's failure is its own.

Units run together without savepoints, which would cost more statements than most of them need. When one fails
after it has written, the batch is rolled back and its units run again, each under a savepoint.
"""

import asyncio
import sqlite3
from collections.abc import Callable, Sequence
from typing import Generic, Protocol, TypeVar

from signer.adapters.shared_trail import SharedTrail, StagedRecords
from signer.adapters.sqlite.book import load_book
from signer.adapters.sqlite.database import Database
from signer.adapters.sqlite.work import Work
from signer.domain.errors import BrokenError, SignerError, UnavailableError
from signer.domain.reasons import FailReason
from signer.ports.audit import AuditRecord

T = TypeVar("T")


class AnyUnit(Protocol):
    """A unit whatever it answers."""

    def run(self, work: Work) -> None:
        """Do the work and keep the result."""
        ...

    def keep(self, error: Exception) -> None:
        """Keep the error instead of a result."""
        ...

    def resolve(self) -> None:
        """Answer with what was kept."""
        ...

    def reject(self, error: SignerError) -> None:
        """Answer with this error."""
        ...


class Unit(Generic[T]):
    """A piece of work on the ledger and the future of whoever waits for it, who may be gone."""

    __slots__ = ("_error", "_future", "_result", "_work")

    def __init__(self, work: Callable[[Work], T], future: asyncio.Future[T]) -> None:
        self._work = work
        self._future = future
        self._error: Exception | None = None

    def run(self, work: Work) -> None:
        """Do the work and keep the result; done again, only the last time counts."""
        self._error = None
        self._result = self._work(work)

    def keep(self, error: Exception) -> None:
        """Keep the error instead of a result."""
        self._error = error

    def resolve(self) -> None:
        """Answer with what was kept."""
        if self._future.done():
            return
        if self._error is None:
            self._future.set_result(self._result)
        else:
            self._future.set_exception(self._error)

    def reject(self, error: SignerError) -> None:
        """Answer with this error."""
        if not self._future.done():
            self._future.set_exception(error)


class LedgerStore:
    """Runs units on the writing connection, which nothing else uses from BEGIN to the end of COMMIT."""

    def __init__(self, database: Database, trail: SharedTrail | None, wake: Callable[[], None]) -> None:
        self._database = database
        self._connection = database.writer
        self._trail = trail
        self._lines: StagedRecords | None = None
        self._wake = wake
        self._stale = False
        self.work = _load(self._connection)

    def stage(self, units: Sequence[AnyUnit]) -> None:
        """Run the units inside one transaction and write what the audit trail says of them.

        Raises UnavailableError when one of the two files lets nobody write.
        """
        self.ensure_fresh()
        try:
            self._connection.execute("BEGIN IMMEDIATE")
            if not self._run_together(units):
                self._run_apart(units)
        except sqlite3.Error as error:
            self.abandon()
            raise self._unavailable(error) from error
        try:
            self._lines = self._stage_decisions(self.work.take_decisions())
        except UnavailableError:
            self.abandon()
            raise

    def flush(self) -> None:
        """Make the decisions durable, then COMMIT: no slot without its line, whenever the power goes."""
        if self._lines is not None:
            self._lines.flush()
        try:
            self._connection.execute("COMMIT")
        except sqlite3.Error as error:
            raise self._unavailable(error) from error

    def flushed(self) -> None:
        """Note in the files beside trail and ledger how far they are, and tell the subscribers."""
        if self._lines is not None:
            self._lines.flushed()
        self._database.note_progress(self.work.cursor)
        self._wake()

    def abandon(self) -> None:
        """Roll back; memory is rebuilt from the file before anything else happens."""
        self._stale = True
        self.work.forget()
        try:
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
            self.ensure_fresh()
        except (sqlite3.Error, UnavailableError):
            return  # still stale: the next caller tries again and hears of it

    def ensure_fresh(self) -> None:
        """Rebuild memory if a failure made it doubtful. Raises UnavailableError if the file is unreadable."""
        if not self._stale:
            return
        try:
            fresh = _load(self._connection)
        except sqlite3.Error as error:
            raise self._unavailable(error) from error
        fresh.book.moment(self.work.book.latest)
        self.work = fresh
        self._stale = False

    def _stage_decisions(self, decisions: Sequence[AuditRecord]) -> StagedRecords | None:
        if not decisions:
            return None
        if self._trail is None:
            raise AssertionError("a decision to record, and the ledger was opened without a trail")
        return self._trail.stage(decisions)

    def _run_together(self, units: Sequence[AnyUnit]) -> bool:
        """Whether every unit either succeeded or failed before it wrote anything."""
        connection = self._connection
        for unit in units:
            written = connection.total_changes
            try:
                unit.run(self.work)
            except sqlite3.Error:
                return False
            except Exception as error:  # noqa: BLE001 - whatever it is: this unit's answer and no other's
                self.work.forget()
                if connection.total_changes != written:
                    return False
                unit.keep(error)
            else:
                self.work.succeed()
        return True

    def _run_apart(self, units: Sequence[AnyUnit]) -> None:
        """All again from the beginning, so that only the failing units' changes are undone."""
        if self._connection.in_transaction:
            self._connection.execute("ROLLBACK")
        latest = self.work.book.latest
        self.work = _load(self._connection)
        self.work.book.moment(latest)
        self._connection.execute("BEGIN IMMEDIATE")
        for unit in units:
            self._run(unit)

    def _run(self, unit: AnyUnit) -> None:
        execute = self._connection.execute
        execute("SAVEPOINT unit")
        try:
            unit.run(self.work)
        except Exception as error:  # whatever it is: this unit's answer and no other's
            self.work.forget()
            if not self._connection.in_transaction:
                # SQLite itself rolled everything back (disk full, I/O error): nobody's work is there any
                # more.
                raise self._lost(error) from error
            execute("ROLLBACK TO unit")
            execute("RELEASE unit")
            unit.keep(self._ours(error))
        else:
            execute("RELEASE unit")
            self.work.succeed()

    def _ours(self, error: Exception) -> Exception:
        if isinstance(error, sqlite3.IntegrityError):
            return BrokenError(
                FailReason.BROKEN, f"the ledger {self._database.name} contradicts this: {error}"
            )
        if isinstance(error, sqlite3.Error):
            return self._unavailable(error)
        return error

    def _lost(self, error: Exception) -> sqlite3.Error:
        return error if isinstance(error, sqlite3.Error) else sqlite3.OperationalError(str(error))

    def _unavailable(self, error: sqlite3.Error) -> UnavailableError:
        message = f"the ledger {self._database.name} could not be written: {error}"
        return UnavailableError(FailReason.LEDGER_UNAVAILABLE, message)


def _load(connection: sqlite3.Connection) -> Work:
    (cursor,) = connection.execute("SELECT coalesce(max(cursor), 0) FROM events").fetchone()
    return Work(connection, load_book(connection), cursor)
