"""Follows what waits for a person: for the log, for `orders`, and for giving up. Decides nothing."""

import asyncio

import structlog
from structlog.typing import FilteringBoundLogger

from trader.domain.errors import SignerNotReadyError, SignerUnavailableError
from trader.engine.desk import Desk
from trader.engine.supervisor import pause
from trader.ports.signer import PersonPhase, Waiting

log: FilteringBoundLogger = structlog.get_logger("trader.attended")


class Watcher:
    """Listens for as long as the signer talks; what was missed in between, it says anew."""

    def __init__(self, desk: Desk, *, every_ms: int) -> None:
        self._desk, self._every_ms = desk, every_ms

    async def run(self, stop: asyncio.Event) -> None:
        """Until `stop`."""
        listening = asyncio.create_task(self._listen(stop))
        stopping = asyncio.create_task(stop.wait())
        try:
            await asyncio.wait({listening, stopping}, return_when=asyncio.FIRST_COMPLETED)
            if listening.done():
                listening.result()
        finally:
            for task in (listening, stopping):
                task.cancel()
            await asyncio.gather(listening, stopping, return_exceptions=True)

    async def _listen(self, stop: asyncio.Event) -> None:
        desk = self._desk
        while not stop.is_set():
            try:
                desk.people.learn(await desk.signer.accounts())
                desk.people.forget_waiting()
                async for waiting in desk.signer.phases():
                    await self.note(waiting)
            except (SignerUnavailableError, SignerNotReadyError) as error:
                log.debug("person.not_followed", why=str(error))
            await pause(stop, self._every_ms)

    async def note(self, waiting: Waiting) -> None:
        """Write one change down."""
        self._desk.people.note(waiting)
        ended = waiting.phase is PersonPhase.ENDED
        words = None if ended else ": ".join(filter(None, (waiting.phase, waiting.message)))
        order = await self._desk.store.note_waiting(waiting.key, words)
        log.info(
            "order.waits_for_a_person" if not ended else "order.person_done",
            order=order,
            wallet=waiting.wallet,
            phase=waiting.phase,
            message=waiting.message,
        )
        if ended:
            self._desk.bell.ring()
