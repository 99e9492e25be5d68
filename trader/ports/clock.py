"""Time as a port, so that it can be stopped, moved and jumped in tests."""

from typing import Protocol

from trader.domain.time import UnixMs


class Clock(Protocol):
    """The wall clock and the only way to wait."""

    def now(self) -> UnixMs:
        """Current time, unix milliseconds."""
        ...

    async def sleep_ms(self, duration_ms: int) -> None:
        """Wait."""
        ...
