"""Keeps tasks running, each in its own scope; refuses to let one task's failure end the process.

A task that fails is started again after a pause that grows up to a bound. On `stop` every task gets the same
time to finish what it does; what is left then is cancelled, and its orders resume from their rows.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping

import structlog
from structlog.typing import FilteringBoundLogger

from trader.domain.time import MS_PER_S
from trader.ports.clock import Clock

log: FilteringBoundLogger = structlog.get_logger("trader.supervisor")

_FIRST_PAUSE_MS = 250
_LONGEST_PAUSE_MS = 30_000
_HEALTHY_MS = 60_000

Task = Callable[[asyncio.Event], Awaitable[None]]
"""Runs until the event is set. Returning earlier, or raising, starts it again."""


async def supervise(
    tasks: Mapping[str, Task], stop: asyncio.Event, clock: Clock, *, stop_within_ms: int
) -> bool:
    """Run the tasks until `stop` is set; True when all of them ended by themselves within the time."""
    running = [
        asyncio.create_task(_keep_running(name, task, stop, clock), name=name) for name, task in tasks.items()
    ]
    try:
        await stop.wait()
        _, late = await asyncio.wait(running, timeout=stop_within_ms / MS_PER_S)
    finally:
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
    for task in late:
        log.warning("task.cancelled", task=task.get_name(), stop_within_ms=stop_within_ms)
    return not late


async def _keep_running(name: str, task: Task, stop: asyncio.Event, clock: Clock) -> None:
    pause_ms = _FIRST_PAUSE_MS
    while not stop.is_set():
        started_at = clock.now()
        try:
            await task(stop)
        except Exception as error:  # noqa: BLE001 - the boundary that keeps other tasks alive; all is logged
            log.error("task.failed", task=name, error=type(error).__name__, why=str(error)[:500])  # noqa: TRY400
        if clock.now() - started_at > _HEALTHY_MS:
            pause_ms = _FIRST_PAUSE_MS
        await pause(stop, pause_ms)
        pause_ms = min(pause_ms * 2, _LONGEST_PAUSE_MS)


async def pause(stop: asyncio.Event, duration_ms: int) -> None:
    """Wait, but not longer than until `stop`."""
    try:
        async with asyncio.timeout(duration_ms / MS_PER_S):
            await stop.wait()
    except TimeoutError:
        return
