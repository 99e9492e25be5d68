"""Use of one resource within rolling windows. Exact integers; a charge of unknown outcome never ages.

Two kinds of entries: *held* ones belong to transactions whose outcome is open and count in every window;
*dated* ones count for the length of the window after their date. Holding is what makes a cap hold by the
time of the loss, not by the time of signing: signatures kept back for days cannot be spent together in one
window (ADR 0012).
"""

from collections import deque

from signer.domain.time import MS_PER_S, UnixMs
from signer.domain.transactions import TransactionId

LONGEST_WINDOW_S = 86_400
"""Dated entries older than this are forgotten, so no limit may look further back."""


class _Entry:
    __slots__ = ("amount", "at")

    def __init__(self, at: UnixMs, amount: int) -> None:
        self.at = at
        self.amount = amount


class RollingUse:
    """Entries of one account and resource, one per transaction. Time that goes back stands still."""

    def __init__(self) -> None:
        self._held: dict[TransactionId, int] = {}
        self._held_total = 0
        self._dated: dict[TransactionId, _Entry] = {}
        self._windows: dict[int, _Window] = {}
        self._latest = 0

    def hold(self, transaction: TransactionId, amount: int) -> None:
        """Count `amount` in every window until it is dated or dropped; replaces the transaction's entry."""
        self.drop(transaction)
        self._held[transaction] = amount
        self._held_total += amount

    def date(self, transaction: TransactionId, amount: int, at: UnixMs) -> None:
        """Count `amount` from `at` on for the length of each window; replaces the transaction's entry."""
        self.drop(transaction)
        now = self._advance(at)
        entry = _Entry(now, amount)
        self._dated[transaction] = entry
        for window in self._windows.values():
            window.add(entry)

    def revise(self, transaction: TransactionId, amount: int) -> None:
        """Change the amount of a dated entry and keep its date; does nothing when it has aged out."""
        entry = self._dated.get(transaction)
        if entry is None:
            return
        for window in self._windows.values():
            window.change(entry, amount)
        entry.amount = amount

    def drop(self, transaction: TransactionId) -> None:
        """Forget the transaction's entry, if there is one."""
        self._held_total -= self._held.pop(transaction, 0)
        self.revise(transaction, 0)
        self._dated.pop(transaction, None)

    def used(self, window_s: int, now: UnixMs) -> int:
        """Amount that counts at `now` in a window. Raises ValueError for a window that is too long."""
        moment = self._advance(now)
        window = self._windows.get(window_s)
        if window is None:
            if not 0 < window_s <= LONGEST_WINDOW_S:
                raise ValueError(f"window of {window_s} s: 1 to {LONGEST_WINDOW_S} s are allowed")
            window = self._windows[window_s] = _Window(window_s)
            for entry in self._dated.values():
                window.add(entry)
            window.expire(moment)
        return self._held_total + window.total

    def _advance(self, now: UnixMs) -> UnixMs:
        self._latest = max(self._latest, now)
        for window in self._windows.values():
            window.expire(self._latest)
        floor = self._latest - LONGEST_WINDOW_S * MS_PER_S
        while self._dated:
            oldest = next(iter(self._dated))
            if self._dated[oldest].at > floor:
                break
            del self._dated[oldest]
        return UnixMs(self._latest)


class _Window:
    """Running total of the entries younger than the window, in order of date."""

    __slots__ = ("_entries", "_floor", "_length_ms", "total")

    def __init__(self, window_s: int) -> None:
        self._length_ms = window_s * MS_PER_S
        self._floor = -1
        self._entries: deque[_Entry] = deque()
        self.total = 0

    def add(self, entry: _Entry) -> None:
        self._entries.append(entry)
        self.total += entry.amount

    def change(self, entry: _Entry, amount: int) -> None:
        if entry.at > self._floor:
            self.total += amount - entry.amount

    def expire(self, now: int) -> None:
        self._floor = max(self._floor, now - self._length_ms)
        while self._entries and self._entries[0].at <= self._floor:
            self.total -= self._entries.popleft().amount
