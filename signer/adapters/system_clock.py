"""The wall clock and the steady one, and nothing else."""

import time

from signer.domain.time import UnixMs


class SystemClock:
    """Clock port over the operating system's time."""

    def now(self) -> UnixMs:
        """Current time, unix milliseconds."""
        return UnixMs(time.time_ns() // 1_000_000)


def steady_ms() -> int:
    """Milliseconds since some moment, only ever forward: for the deadlines of threads."""
    return time.monotonic_ns() // 1_000_000
