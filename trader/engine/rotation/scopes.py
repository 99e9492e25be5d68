"""The part of the trader that belongs to one wallet: rebuilt when the books move, without a new process.

Decides nothing: it runs what fits to where the books stand, and looks whether they stand there still.
"""

import asyncio
from collections.abc import Callable, Mapping

import structlog
from structlog.typing import FilteringBoundLogger

from trader.domain.errors import StoreUnavailableError
from trader.domain.ids import WalletId
from trader.domain.moves import Standing
from trader.engine.desk import Desk
from trader.engine.supervisor import Task, pause, supervise

log: FilteringBoundLogger = structlog.get_logger("trader.rotation")


class Scopes:
    """`tasks_of` gives the tasks for a standing; they end together when the books stand elsewhere."""

    def __init__(
        self,
        desk: Desk,
        configured: WalletId,
        tasks_of: Callable[[Standing], Mapping[str, Task]],
        *,
        every_ms: int,
        stop_within_ms: int,
    ) -> None:
        self._desk, self._configured, self._tasks_of = desk, configured, tasks_of
        self._every_ms, self._stop_within_ms = every_ms, stop_within_ms

    async def run(self, stop: asyncio.Event) -> None:
        """One scope after the other until `stop`."""
        while not stop.is_set():
            standing = await self._desk.store.standing(self._configured)
            log.info(
                "wallet.standing",
                wallet=standing.wallet,
                moving_to=None if standing.move is None else standing.move.target,
            )
            turn = asyncio.Event()
            watching = asyncio.create_task(self._watch(standing, stop, turn))
            try:
                await supervise(
                    self._tasks_of(standing), turn, self._desk.clock, stop_within_ms=self._stop_within_ms
                )
            finally:
                watching.cancel()
                await asyncio.gather(watching, return_exceptions=True)

    async def _watch(self, standing: Standing, stop: asyncio.Event, turn: asyncio.Event) -> None:
        """Set `turn` when the books stand elsewhere, or at once when all shall stop."""
        tasks = [asyncio.create_task(self._leave(standing, stop)), asyncio.create_task(stop.wait())]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            turn.set()
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _leave(self, standing: Standing, stop: asyncio.Event) -> None:
        while not stop.is_set() and await self._still(standing):
            await pause(stop, self._every_ms)

    async def _still(self, standing: Standing) -> bool:
        try:
            return await self._desk.store.standing(self._configured) == standing
        except StoreUnavailableError as error:
            log.warning("wallet.not_asked", wallet=standing.wallet, why=str(error))
            return True
