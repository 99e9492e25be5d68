"""Notices rotations: asks the signer at start, at every change that it tells, and now and then anyway.

Writes into the books what is going on and does nothing else: there reservations end, for every process.
"""

import asyncio

import structlog
from structlog.typing import FilteringBoundLogger

from trader.domain.errors import SignerNotReadyError, SignerUnavailableError
from trader.domain.ids import WalletId
from trader.engine.desk import Bell, Desk
from trader.engine.rotation.intent import Aim, aim_of
from trader.engine.supervisor import pause

log: FilteringBoundLogger = structlog.get_logger("trader.rotation")


class Follower:
    """Follows the rotations of one wallet, whoever trades for it meanwhile. It asks at least `every_ms`."""

    def __init__(self, desk: Desk, configured: WalletId, *, every_ms: int) -> None:
        self._desk, self._configured, self._every_ms = desk, configured, every_ms
        self._told = Bell()

    async def run(self, stop: asyncio.Event) -> None:
        """Until `stop`. A signer that gives no answer is asked again; nothing new is signed meanwhile."""
        listening = asyncio.create_task(self._listen(stop))
        stopping = asyncio.create_task(stop.wait())
        try:
            while not stop.is_set():
                heard = asyncio.create_task(self._told.wait(self._every_ms))
                await self.look()
                await asyncio.wait({heard, stopping, listening}, return_when=asyncio.FIRST_COMPLETED)
                heard.cancel()
                if listening.done():
                    listening.result()
        finally:
            for task in (listening, stopping):
                task.cancel()
            await asyncio.gather(listening, stopping, return_exceptions=True)

    async def look(self) -> None:
        """Ask once, and write down a rotation that began or was turned round."""
        standing = await self._desk.store.standing(self._configured)
        try:
            accounts = await self._desk.signer.accounts()
        except (SignerUnavailableError, SignerNotReadyError) as error:
            log.warning("rotation.not_asked", wallet=standing.wallet, why=str(error))
            return
        self._desk.people.learn(accounts)
        aim, now, move = aim_of(standing, accounts), self._desk.clock.now(), standing.move
        if aim is not None and move is None:
            await begin(self._desk, standing.wallet, aim)
        elif aim is not None and move is not None and aim.other == move.other and aim.target != move.target:
            log.warning("rotation.turned_round", wallet=standing.wallet, other=aim.other, target=aim.target)
            await self._desk.store.aim_move(move, aim.target, now)

    async def _listen(self, stop: asyncio.Event) -> None:
        """Every change of any account makes us look. What is missed between two streams, the pause finds."""
        while not stop.is_set():
            try:
                async for _ in self._desk.signer.account_changes():
                    self._told.ring()
            except (SignerUnavailableError, SignerNotReadyError) as error:
                log.debug("rotation.not_told", why=str(error))
            await pause(stop, self._every_ms)
            self._told.ring()


async def begin(desk: Desk, wallet: WalletId, aim: Aim) -> None:
    """From here on the wallet reserves nothing, in any process."""
    log.warning("rotation.begun", wallet=wallet, other=aim.other, target=aim.target)
    await desk.store.begin_move(wallet, aim.other, aim.target, desk.clock.now())
