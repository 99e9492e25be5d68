"""Bounded repeats for reads; refuses to be used for a write."""

from collections.abc import Awaitable, Callable
from typing import TypeVar

from trader.adapters.evm_rpc.errors import BusyError, RpcRefusedError
from trader.domain.errors import ChainUnavailableError
from trader.ports.clock import Clock

ATTEMPTS = 3
FIRST_BACKOFF_MS = 100

T = TypeVar("T")


async def retried(clock: Clock, read: Callable[[], Awaitable[T]]) -> T:
    """Result of `read`, asked at most three times; waits as long as the node named, else 100 ms, 200 ms."""
    backoff_ms = FIRST_BACKOFF_MS
    for _ in range(ATTEMPTS - 1):
        try:
            return await read()
        except RpcRefusedError:
            raise
        except BusyError as error:
            await clock.sleep_ms(backoff_ms if error.retry_after_ms is None else error.retry_after_ms)
        except ChainUnavailableError:
            await clock.sleep_ms(backoff_ms)
        backoff_ms *= 2
    return await read()
