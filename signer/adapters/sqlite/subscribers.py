"""Readers of the event log. Each reads the table at its own pace, so that a slow one costs no memory."""

import asyncio
import sqlite3
from collections.abc import AsyncGenerator, Sequence

from signer.adapters.sqlite.rows import COLUMNS, record_of
from signer.domain.errors import UnavailableError
from signer.domain.events import Cursor, TransactionEvent
from signer.domain.reasons import FailReason
from signer.domain.slots import SlotState
from signer.domain.time import UnixMs

_PAGE = 64
_READ = f"""
SELECT e.cursor, e.at, e.previous, e.state, {", ".join(f"t.{name}" for name in COLUMNS.split(", "))}
FROM events AS e JOIN transactions AS t ON t.id = e.transaction_id
WHERE e.cursor > ? ORDER BY e.cursor LIMIT {_PAGE}
"""  # noqa: S608 - constants only


class Subscribers:
    """Everybody who follows the ledger."""

    def __init__(self, reader: sqlite3.Connection) -> None:
        self._reader = reader
        self._bells: set[asyncio.Event] = set()
        self._closed = False

    def wake(self) -> None:
        """New events are durable."""
        for bell in self._bells:
            bell.set()

    def close(self) -> None:
        """End every subscription."""
        self._closed = True
        self.wake()

    def follow(self, after: Cursor | None) -> AsyncGenerator[TransactionEvent, None]:
        """Events after the cursor; None means after the newest one now. Raises sqlite3.Error."""
        return self._events(self._newest() if after is None else after)

    async def _events(self, after: int) -> AsyncGenerator[TransactionEvent, None]:
        bell = asyncio.Event()
        self._bells.add(bell)
        try:
            while not self._closed:
                bell.clear()
                page = self._page(after)
                for event in page:
                    after = event.cursor
                    yield event
                if not page:
                    await bell.wait()
        finally:
            self._bells.discard(bell)

    def _newest(self) -> int:
        newest: tuple[int] = self._reader.execute("SELECT coalesce(max(cursor), 0) FROM events").fetchone()
        return newest[0]

    def _page(self, after: int) -> Sequence[TransactionEvent]:
        try:
            found = self._reader.execute(_READ, (after,)).fetchall()
        except sqlite3.Error as error:
            raise UnavailableError(
                FailReason.LEDGER_UNAVAILABLE, f"the events of the ledger could not be read: {error}"
            ) from error
        return tuple(
            TransactionEvent(
                cursor=Cursor(row[0]),
                at=UnixMs(row[1]),
                previous=None if row[2] is None else SlotState(row[2]),
                state=SlotState(row[3]),
                record=record_of(row[4:]),
            )
            for row in found
        )
