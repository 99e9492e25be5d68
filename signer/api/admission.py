"""How many requests may be in flight. Refuses the next one at once instead of letting a queue grow."""

from types import TracebackType

from signer.domain.errors import OverloadedError


class Admission:
    """A counter with a ceiling, as a context manager. One event loop; no lock is needed."""

    __slots__ = ("_in_flight", "_limit", "_what")

    def __init__(self, limit: int, what: str) -> None:
        self._limit = limit
        self._what = what
        self._in_flight = 0

    @property
    def in_flight(self) -> int:
        """Requests that are inside now."""
        return self._in_flight

    def __enter__(self) -> None:
        if self._in_flight >= self._limit:
            raise OverloadedError(
                f"{self._limit} {self._what} are in flight, no more are allowed; try again later"
            )
        self._in_flight += 1

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._in_flight -= 1
