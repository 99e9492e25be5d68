"""How long a thread may still wait. Knows no wall clock, so a clock that is set back prolongs nothing."""

from collections.abc import Callable

from signer.adapters.system_clock import steady_ms


class Deadline:
    """A moment `ms` milliseconds from now."""

    def __init__(self, ms: int, steady: Callable[[], int] = steady_ms) -> None:
        self._steady = steady
        self._at = steady() + ms

    def left_ms(self) -> int:
        """Milliseconds until then; 0 when it has passed."""
        return max(0, self._at - self._steady())
