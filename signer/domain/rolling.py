"""Use of one resource within rolling windows. Exact integers, never less than what counts; keeps no entries.

Two kinds of amounts: *held* ones belong to transactions whose outcome is open and count in every window;
*dated* ones count for the length of the window after their date. Holding is what makes a cap hold by the
time of the loss, not by the time of signing: signatures kept back for days cannot be spent together in one
window (ADR 0012).

Dated amounts of the same second are added up, and a second counts until its youngest amount has left the
window. So a window may count up to one second longer than it says, and memory grows with seconds, not with
transactions (ADR 0014).
"""

from collections.abc import Iterable

from signer.domain.time import MS_PER_S, UnixMs

LONGEST_WINDOW_S = 86_400
"""Dated amounts older than this are forgotten, so no limit may look further back."""


def oldest_counted(now: UnixMs) -> UnixMs:
    """Earliest date that counts at `now` in the longest window."""
    return UnixMs((now // MS_PER_S - LONGEST_WINDOW_S) * MS_PER_S)


class RollingUse:
    """Amounts of one account and resource, from `now` on. Time that goes back stands still."""

    __slots__ = ("_by_second", "_held", "_second", "_totals")

    def __init__(self, now: UnixMs) -> None:
        self._second = now // MS_PER_S
        self._held = 0
        self._by_second: dict[int, int] = {}
        self._totals: dict[int, int] = {}  # by window in seconds, at `_second`

    def put(self, amount: int, dated_at: UnixMs | None) -> None:
        """Count `amount` from its date on for the length of each window, or in every window without one."""
        if dated_at is None:
            self._held += amount
        else:
            self._advance(dated_at)
            self._change(dated_at // MS_PER_S, amount)

    def drop(self, amount: int, dated_at: UnixMs | None) -> None:
        """Undo `put` of the same amount and date; nothing is left to undo when it has aged out."""
        if dated_at is None:
            self._held -= amount
        else:
            self._change(dated_at // MS_PER_S, -amount)

    def used(self, window_s: int, now: UnixMs) -> int:
        """Amount that counts at `now` in a window. Raises ValueError for a window that is too long."""
        self._advance(now)
        total = self._totals.get(window_s)
        if total is None:
            total = self._totals[window_s] = self._sum(window_s)
        return self._held + total

    def _change(self, second: int, by: int) -> None:
        age = self._second - second
        if age > LONGEST_WINDOW_S:
            return
        self._by_second[second] = self._by_second.get(second, 0) + by
        for window_s in self._totals:
            if age <= window_s:
                self._totals[window_s] += by

    def _sum(self, window_s: int) -> int:
        if not 0 < window_s <= LONGEST_WINDOW_S:
            raise ValueError(f"window of {window_s} s: 1 to {LONGEST_WINDOW_S} s are allowed")
        oldest = self._second - window_s
        return sum(amount for second, amount in self._by_second.items() if second >= oldest)

    def _advance(self, now: UnixMs) -> None:
        second = now // MS_PER_S
        if second <= self._second:
            return
        for window_s in self._totals:
            left = self._between(self._second - window_s, second - window_s)
            self._totals[window_s] -= sum(self._by_second.get(one, 0) for one in left)
        for one in self._between(self._second - LONGEST_WINDOW_S, second - LONGEST_WINDOW_S):
            self._by_second.pop(one, None)
        self._second = second

    def _between(self, first: int, end: int) -> Iterable[int]:
        """Seconds to look at, the fewer of two: those that passed or those that hold an amount."""
        if end - first <= len(self._by_second):
            return range(first, end)
        return [second for second in self._by_second if first <= second < end]
