"""The wall clock and waiting, and nothing else."""

import asyncio
import time

from trader.domain.time import MS_PER_S, UnixMs


class SystemClock:
    """Clock port over the operating system's time."""

    def now(self) -> UnixMs:
        """Current time, unix milliseconds."""
        return UnixMs(time.time_ns() // 1_000_000)

    async def sleep_ms(self, duration_ms: int) -> None:
        """Wait."""
        await asyncio.sleep(duration_ms / MS_PER_S)
