"""A closed loop of requests: N workers, each asking again as soon as it is answered."""

import asyncio
import statistics
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """`per_s` requests a second; `p50_ms` and `p99_ms` of one request."""

    per_s: float
    p50_ms: float
    p99_ms: float


async def closed_loop(ask: Callable[[], Awaitable[object]], *, in_flight: int, requests: int) -> Load:
    """Ask `requests` times with `in_flight` at once. An error of `ask` ends the measurement."""
    times: list[float] = []
    left = iter(range(requests))

    async def worker() -> None:
        for _ in left:
            started = time.perf_counter()
            await ask()
            times.append(time.perf_counter() - started)

    began = time.perf_counter()
    await asyncio.gather(*(worker() for _ in range(in_flight)))
    took = time.perf_counter() - began
    ranked = statistics.quantiles(times, n=100)
    return Load(per_s=requests / took, p50_ms=ranked[49] * 1_000, p99_ms=ranked[98] * 1_000)
