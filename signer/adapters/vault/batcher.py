"""Many callers, few requests: what waits goes out together. Never waits for company, never mixes up callers.

A request costs Vault and us nearly the same for one item as for 32. While requests are on their way others
gather; when nothing is on its way a caller goes at once, with whoever asks in the same round of the loop.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeAlias, TypeVar

from signer.domain.errors import BrokenError, OverloadedError, SignerError
from signer.domain.reasons import FailReason

MAX_BATCH = 32
MAX_IN_FLIGHT = 2
MAX_WAITING = 4_096

Item = TypeVar("Item")
Result = TypeVar("Result")
Send: TypeAlias = Callable[[Sequence[Item]], Awaitable[Sequence[Result | SignerError]]]


class Batcher(Generic[Item, Result]):
    """`send` answers a batch in order, an error in the place of an item that failed alone."""

    def __init__(
        self, send: Send[Item, Result], *, max_batch: int = MAX_BATCH, max_in_flight: int = MAX_IN_FLIGHT
    ) -> None:
        self._send = send
        self._max_batch = max_batch
        self._max_in_flight = max_in_flight
        self._waiting: deque[tuple[Item, asyncio.Future[Result]]] = deque()
        self._in_flight: set[asyncio.Task[None]] = set()
        self._called = False

    async def ask(self, item: Item) -> Result:
        """Result of one item. Raises its own error, or the request's. Who is cancelled hurts nobody else."""
        if len(self._waiting) >= MAX_WAITING:
            raise OverloadedError(f"{MAX_WAITING} signatures are waiting for Vault")
        future: asyncio.Future[Result] = asyncio.get_running_loop().create_future()
        self._waiting.append((item, future))
        if not self._called:
            # Not at once: everybody whose turn it is in this round of the loop joins the same batch.
            self._called = True
            asyncio.get_running_loop().call_soon(self._go)
        return await future

    def _go(self) -> None:
        self._called = False
        while len(self._in_flight) < self._max_in_flight and (batch := self._take()):
            task = asyncio.create_task(self._run(batch))
            self._in_flight.add(task)
            task.add_done_callback(self._land)

    def _take(self) -> list[tuple[Item, asyncio.Future[Result]]]:
        batch: list[tuple[Item, asyncio.Future[Result]]] = []
        while self._waiting and len(batch) < self._max_batch:
            item, future = self._waiting.popleft()
            if not future.done():
                batch.append((item, future))
        return batch

    async def _run(self, batch: Sequence[tuple[Item, asyncio.Future[Result]]]) -> None:
        results: Sequence[Result | SignerError]
        try:
            results = await self._send([item for item, _ in batch])
            if len(results) != len(batch):
                raise ValueError(f"{len(results)} results for {len(batch)} items")  # noqa: TRY301 - as any bug
        except SignerError as error:
            results = [error] * len(batch)
        except BaseException as bug:
            # A mistake of ours is still raised, but it must not leave everybody waiting for ever.
            _resolve(
                batch, [BrokenError(FailReason.BROKEN, f"a batch broke: {type(bug).__name__}")] * len(batch)
            )
            raise
        _resolve(batch, results)

    def _land(self, task: asyncio.Task[None]) -> None:
        self._in_flight.discard(task)
        self._go()


def _resolve(
    batch: Sequence[tuple[Item, asyncio.Future[Result]]], results: Sequence[Result | SignerError]
) -> None:
    for (_, future), result in zip(batch, results, strict=True):
        if future.done():
            continue
        if isinstance(result, SignerError):
            future.set_exception(result)
        else:
            future.set_result(result)
