"""Books the move when the signer says that all is swept and the chain proves it, to the base unit.

Refuses to book what does not close: two looks with the same gap halt the wallet, with the figures.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import structlog
from structlog.typing import FilteringBoundLogger

from trader.domain.errors import ChainUnavailableError, SignerNotReadyError, SignerUnavailableError
from trader.domain.ids import AssetId, WalletId, chain_of, native
from trader.domain.moves import Move, Settlement
from trader.domain.time import UnixMs
from trader.engine.desk import Desk
from trader.engine.reconcile import DRIFTED
from trader.engine.rotation.witness import Witness
from trader.engine.supervisor import pause
from trader.portfolio.moves import left_behind
from trader.ports.move_store import MoveVerdict
from trader.ports.signer import SignerAccount

log: FilteringBoundLogger = structlog.get_logger("trader.rotation")

OPEN = "the move of the books does not close"
"""How a halt of ours begins. A move that closes explains it, and every difference that was seen before."""

PATIENCE_MS = 10 * 60 * 1_000
"""How long our node may lag behind the signer's before what is left counts as left."""

Figures = Mapping[tuple[WalletId, AssetId], int]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Seen:
    figures: Figures
    block_number: int
    at: UnixMs
    halted: bool = False


class Mover:
    """Follows one move to its end, in whatever process; only one of them books it."""

    def __init__(self, desk: Desk, move: Move, assets: Sequence[AssetId], *, every_ms: int) -> None:
        self._desk, self._move, self._every_ms = desk, move, every_ms
        self._witness = Witness(desk=desk, move=move, assets=assets)
        self._seen: _Seen | None = None

    async def run(self, stop: asyncio.Event) -> None:
        """Until `stop`; who looks at the books sees the end of the move there."""
        while not stop.is_set():
            try:
                await self.look()
            except (ChainUnavailableError, SignerUnavailableError, SignerNotReadyError) as error:
                log.warning("rotation.waits", wallet=self._move.wallet, why=str(error))
            await pause(stop, self._every_ms)

    async def look(self) -> MoveVerdict | None:
        """Account for the move as far as it is final, and book it when it is over."""
        # The signer before the chain: what was swept when it answered is on the chain that is read after.
        source = await self._source()
        settlement = await self._witness.settlement()
        if settlement is None:
            return None
        if settlement.gaps:
            await self._judge(settlement.block_number, settlement.gaps, "chain minus books", patience_ms=0)
            return None
        if source is None or not source.emptied:
            self._seen = None
            return None
        if not await self._witness.still(settlement):
            return None
        left = self._left(settlement)
        if left and not (self._may_stay(source, settlement, left) and self._seen_for(left, PATIENCE_MS)):
            what = "said to be swept, still there"
            await self._judge(settlement.block_number, left, what, patience_ms=PATIENCE_MS)
            return None
        return await self._book(settlement)

    async def _source(self) -> SignerAccount | None:
        accounts = await self._desk.signer.accounts()
        move = self._move
        return next(
            (one for one in accounts if (one.wallet, one.successor) == (move.source, move.target)), None
        )

    def _left(self, settlement: Settlement) -> Figures:
        config, move = self._desk.config, self._move
        left = left_behind(move, settlement, config.dust, config.max_fee_per_gas_wei)
        return {(move.source, asset): amount for asset, amount in left.items()}

    def _may_stay(self, source: SignerAccount, settlement: Settlement, left: Figures) -> bool:
        """For good: a retired account sends nothing more; coins may be dust to a signer that pays more."""
        coin = native(chain_of(source.wallet))
        coins_only = {asset for _, asset in left} == {coin}
        return source.state == "retired" or (coins_only and coin in settlement.of(source.wallet).moved)

    async def _book(self, settlement: Settlement) -> MoveVerdict:
        move = self._move
        verdict = await self._desk.store.book_move(
            move, settlement, explained=(OPEN, DRIFTED), now=self._desk.clock.now()
        )
        log.warning(
            "rotation.booked" if verdict is MoveVerdict.BOOKED else "rotation.not_booked",
            verdict=verdict,
            source=move.source,
            target=move.target,
            block=settlement.block_number,
            moved=dict(settlement.of(move.target).moved),
            transactions=len(settlement.passages),
        )
        return verdict

    def _seen_for(self, figures: Figures, duration_ms: int) -> bool:
        seen = self._seen
        return (
            seen is not None and seen.figures == figures and self._desk.clock.now() - seen.at >= duration_ms
        )

    async def _judge(self, block_number: int, figures: Figures, what: str, *, patience_ms: int) -> None:
        """Halt for figures that a later block shows again, after so long."""
        seen = self._seen
        if seen is None or seen.figures != figures:
            self._seen = _Seen(figures=figures, block_number=block_number, at=self._desk.clock.now())
        elif not seen.halted and block_number > seen.block_number and self._seen_for(figures, patience_ms):
            await self._halt(block_number, figures, what)
            self._seen = replace(seen, halted=True)

    async def _halt(self, block_number: int, figures: Figures, what: str) -> None:
        symbols = self._desk.config.symbols
        words = ", ".join(
            f"{wallet} {symbols.get(asset, asset)} {amount:+d} base units"
            for (wallet, asset), amount in figures.items()
        )
        reason = f"{OPEN} at block {block_number}: {what}: {words}"
        log.error("wallet.halted", wallet=self._move.wallet, why=reason)
        await self._desk.store.halt_wallet(self._move.wallet, reason, self._desk.clock.now())
