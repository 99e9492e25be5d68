"""What one unit of work sees: its savepoint, and memory that changes only if the unit succeeds."""

import sqlite3
from collections.abc import Callable, Sequence

from signer.adapters.sqlite.book import Book
from signer.domain.records import TransactionRecord
from signer.domain.slots import SlotState
from signer.domain.time import UnixMs
from signer.domain.transactions import TransactionId
from signer.ports.audit import AuditRecord

_INSERT_EVENT = "INSERT INTO events (at, transaction_id, previous, state) VALUES (?, ?, ?, ?)"


class Work:
    """Handed to every unit. Statements run at once; `afterwards` keeps changes of memory until success."""

    def __init__(self, connection: sqlite3.Connection, book: Book, cursor: int) -> None:
        self.connection = connection
        self.book = book
        self.cursor = cursor
        self.reserved: dict[TransactionId, TransactionRecord] = {}
        """Reservations at hand until their signature comes. A cache: the file has them all."""
        self.decisions: list[AuditRecord] = []
        """What the trail is to say of the batch at hand."""
        self._effects: list[Callable[[], object]] = []

    def afterwards(self, effect: Callable[[], object]) -> None:
        """Run `effect` once the unit has succeeded; it must not fail."""
        self._effects.append(effect)

    def write_event(
        self, transaction: TransactionId, previous: SlotState | None, state: SlotState, at: UnixMs
    ) -> None:
        """Append a life-cycle change for the subscribers."""
        values = (at, transaction, None if previous is None else previous.value, state.value)
        cursor = self.connection.execute(_INSERT_EVENT, values).lastrowid
        self.afterwards(lambda: self._advance(cursor))

    def decided(self, decision: AuditRecord) -> None:
        """Have the audit trail say so, durable together with the unit's changes."""
        self.afterwards(lambda: self.decisions.append(decision))

    def take_decisions(self) -> Sequence[AuditRecord]:
        """Decisions of the batch, which are the trail's from now on."""
        taken, self.decisions = self.decisions, []
        return taken

    def remember(self, record: TransactionRecord) -> None:
        """Keep a reservation at hand until its signature comes."""
        self.afterwards(lambda: self.reserved.__setitem__(record.id, record))

    def forget_reserved(self, transaction: TransactionId) -> None:
        """A reservation was signed or released."""
        self.afterwards(lambda: self.reserved.pop(transaction, None))

    def succeed(self) -> None:
        """Let the unit's changes of memory happen."""
        effects, self._effects = self._effects, []
        for effect in effects:
            effect()

    def forget(self) -> None:
        """Drop the unit's changes of memory."""
        self._effects.clear()

    def _advance(self, cursor: int | None) -> None:
        self.cursor = self.cursor if cursor is None else cursor
