"""Refills one wallet of ours from another, one transfer at a time. Refuses to ask a person again too soon.

It opens top-ups only; everything after that is the workers' business, as for any order.
"""

import asyncio
import uuid
from dataclasses import dataclass
from random import Random

import structlog
from structlog.typing import FilteringBoundLogger

from trader.domain.errors import ChainUnavailableError, SignerNotReadyError, SignerUnavailableError
from trader.domain.ids import AssetId, OrderId, StrategyName, WalletId, address_of, chain_of, native, token_of
from trader.domain.orders import OrderKind
from trader.domain.quotes import Quote
from trader.domain.time import UnixMs
from trader.engine.desk import Desk
from trader.engine.fees import current_fees
from trader.engine.supervisor import pause
from trader.ports.order_store import Claim, NewOrder, ReserveRefusal
from trader.ports.venue import Transfers

log: FilteringBoundLogger = structlog.get_logger("trader.treasury")

TREASURY = StrategyName("treasury")
VENUE = "transfer"
FEES_FRESH_MS = 60_000
"""How long a draft may wait for a worker before its fees count as stale."""
_UUID_BITS = 128


@dataclass(frozen=True, slots=True, kw_only=True)
class TopUpLine:
    """When `target` has less than `below` free, it gets what is missing to `to_level`, `most` at once.

    Base units of `asset`. `min_interval_ms` lies between the end of one and the next, also after one that a
    person refused; one that is not signed after `life_ms` is given up.
    """

    source: WalletId
    target: WalletId
    asset: AssetId
    below: int
    to_level: int
    most: int
    min_interval_ms: int
    life_ms: int


class Treasury:
    """Looks after one line. `live` False ends each top-up at the signer's verdict."""

    def __init__(
        self, desk: Desk, transfers: Transfers, line: TopUpLine, rng: Random, *, live: bool, every_ms: int
    ) -> None:
        self._desk, self._transfers, self._line, self._rng = desk, transfers, line, rng
        self._live, self._every_ms = live, every_ms

    async def run(self, stop: asyncio.Event) -> None:
        """Until `stop`."""
        while not stop.is_set():
            try:
                await self.look()
            except (ChainUnavailableError, SignerUnavailableError, SignerNotReadyError) as error:
                log.warning("treasury.waits", target=self._line.target, why=str(error))
            await pause(stop, self._every_ms)

    async def look(self) -> OrderId | None:
        """Open a top-up when one is due."""
        line, store = self._line, self._desk.store
        source, target = await asyncio.gather(store.standing(line.source), store.standing(line.target))
        if source.move is not None or target.move is not None:
            return None
        missing = await self._missing(target.wallet)
        if missing == 0 or not await self._ready(source.wallet):
            return None
        return await self._open(source.wallet, target.wallet, missing)

    async def _missing(self, target: WalletId) -> int:
        line, balances = self._line, await self._desk.store.balances(target)
        free = next((one.free for one in balances if one.asset == line.asset), 0)
        return min(line.to_level - free, line.most) if free < line.below else 0

    async def _ready(self, source: WalletId) -> bool:
        """A device that is away is not waited for: the next look comes anyway."""
        account = next((one for one in await self._desk.signer.accounts() if one.wallet == source), None)
        if account is None or not account.ready:
            why = "no grant for it" if account is None else account.not_ready_reason
            log.warning("treasury.source_not_ready", source=source, why=why)
            return False
        return True

    async def _open(self, source: WalletId, target: WalletId, amount: int) -> OrderId | None:
        desk, line = self._desk, self._line
        fees, now = await current_fees(desk.chain, desk.config), desk.clock.now()
        new = self._order(source, target, amount, now)
        token = None if line.asset == native(chain_of(source)) else token_of(line.asset)
        draft = self._transfers.build(token, address_of(target), amount, fees, desk.deadline_s(source, now))
        opened = await desk.store.open_top_up(
            new, _terms(new, target, now), draft, quiet_since=UnixMs(now - line.min_interval_ms), now=now
        )
        if isinstance(opened, Claim):
            log.info("treasury.top_up", order=new.id, source=source, target=target, amount=amount)
            desk.bell.ring()
            return new.id
        if opened is not ReserveRefusal.TOP_UP_WAITS:
            log.warning("treasury.not_reserved", source=source, target=target, amount=amount, why=opened)
        return None

    def _order(self, source: WalletId, target: WalletId, amount: int, now: UnixMs) -> NewOrder:
        line = self._line
        return NewOrder(
            id=OrderId(str(uuid.UUID(int=self._rng.getrandbits(_UUID_BITS), version=4))),
            kind=OrderKind.TOP_UP,
            wallet=source,
            strategy=TREASURY,
            venue=VENUE,
            asset_in=line.asset,
            asset_out=line.asset,
            amount_in=amount,
            max_slippage_bps=0,
            live=self._live,
            created_at=now,
            expires_at=UnixMs(now + line.life_ms),
            recipient=target,
        )


def _terms(order: NewOrder, target: WalletId, now: UnixMs) -> Quote:
    """A transfer has no price; its quote only says what moves, and how long its fees are fresh."""
    return Quote(
        wallet=order.wallet,
        venue=VENUE,
        asset_in=order.asset_in,
        asset_out=order.asset_out,
        path=(),
        fees=(),
        spender=address_of(target),
        amount_in=order.amount_in,
        amount_out=0,
        minimum_out=0,
        block_number=0,
        made_at=now,
        expires_at=UnixMs(now + FEES_FRESH_MS),
    )
