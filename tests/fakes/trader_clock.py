"""The trader's Clock for tests: it runs with the real one, or stands still, and jumps when told."""

import asyncio
import time

from trader.domain.time import UnixMs

START = UnixMs(1_800_000_000_000)


class TraderClock:
    """`standing()` moves only by `advance_ms`; `running()` follows the real time too."""

    def __init__(self, at: UnixMs | None) -> None:
        self._at = at
        self._jumped_ms = 0
        self.slept_ms: list[int] = []

    @classmethod
    def standing(cls) -> "TraderClock":
        return cls(START)

    @classmethod
    def running(cls) -> "TraderClock":
        return cls(None)

    def now(self) -> UnixMs:
        real = time.time_ns() // 1_000_000 if self._at is None else self._at
        return UnixMs(real + self._jumped_ms)

    async def sleep_ms(self, duration_ms: int) -> None:
        self.slept_ms.append(duration_ms)
        if self._at is None:
            await asyncio.sleep(min(duration_ms, 20) / 1000)
        else:
            self._jumped_ms += duration_ms

    def advance_ms(self, duration_ms: int) -> None:
        self._jumped_ms += duration_ms
