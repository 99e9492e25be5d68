"""From prices to intents: a task per pair asks its strategy at each new block. Refuses to guess a price.

It opens orders only; everything after that is the workers' business.
"""

import asyncio
import uuid
from dataclasses import dataclass, replace
from random import Random

import structlog
from structlog.typing import FilteringBoundLogger

from trader.domain.errors import ChainUnavailableError
from trader.domain.ids import OrderId, StrategyName, WalletId
from trader.domain.orders import OrderKind
from trader.domain.time import UnixMs
from trader.engine.desk import Desk
from trader.engine.opening import open_order
from trader.engine.supervisor import pause
from trader.ports.order_store import NewOrder
from trader.ports.price_feed import Pair, PriceFeed
from trader.strategy.momentum import MomentumRules, MomentumState, decide
from trader.strategy.signals import Signal, Snapshot

log: FilteringBoundLogger = structlog.get_logger("trader.trading")

_MOST_OPEN_ORDERS = 1_000
_UUID_BITS = 128


@dataclass(frozen=True, slots=True, kw_only=True)
class Book:
    """One pair, traded by one strategy on one wallet.

    `venue` is a venue's name or `best`. `order_life_ms`: an intent that is not signed by then expires.
    """

    name: StrategyName
    wallet: WalletId
    pair: Pair
    rules: MomentumRules
    venue: str
    max_slippage_bps: int
    order_life_ms: int


class Trading:
    """Runs one book. `live` False writes intents that end at the signer's verdict."""

    def __init__(
        self, desk: Desk, feed: PriceFeed, book: Book, rng: Random, *, live: bool, block_poll_ms: int
    ) -> None:
        self._desk, self._feed, self._book, self._rng = desk, feed, book, rng
        self._live, self._block_poll_ms = live, block_poll_ms
        self._state = MomentumState()
        self._block_number = -1

    def move_to(self, wallet: WalletId) -> None:
        """Trade on this wallet from now on, with the prices and pauses that were."""
        self._book = replace(self._book, wallet=wallet)

    async def run(self, stop: asyncio.Event) -> None:
        """Until `stop`; a node that gives no answer costs the blocks that were not seen."""
        while not stop.is_set():
            try:
                await self.look()
            except ChainUnavailableError as error:
                log.warning("price.missing", strategy=self._book.name, why=str(error))
            await pause(stop, self._block_poll_ms)

    async def look(self) -> None:
        """Ask the strategy once for each new block."""
        head = await self._desk.chain.head()
        if head.number == self._block_number:
            return
        self._block_number = head.number
        snapshot = await self._snapshot(head.number)
        self._state, signals = decide(self._book.rules, self._state, snapshot, self._desk.clock.now())
        for signal in signals:
            await self.place(signal)

    async def place(self, signal: Signal) -> OrderId:
        """Write the order and wake a worker."""
        now, book = self._desk.clock.now(), self._book
        order = NewOrder(
            id=OrderId(str(uuid.UUID(int=self._rng.getrandbits(_UUID_BITS), version=4))),
            kind=OrderKind.SWAP,
            wallet=book.wallet,
            strategy=book.name,
            venue=book.venue,
            asset_in=signal.asset_in,
            asset_out=signal.asset_out,
            amount_in=signal.amount_in,
            max_slippage_bps=book.max_slippage_bps,
            live=self._live,
            created_at=now,
            expires_at=UnixMs(now + book.order_life_ms),
        )
        await open_order(self._desk, order)
        log.info(
            "signal.placed", order=order.id, strategy=book.name, amount_in=signal.amount_in, why=signal.why
        )
        return order.id

    async def _snapshot(self, block_number: int) -> Snapshot:
        book = self._book
        point, balances, orders = await asyncio.gather(
            self._feed.price(book.pair, block_number),
            self._desk.store.balances(book.wallet),
            self._desk.store.orders(open_only=True, limit=_MOST_OPEN_ORDERS),
        )
        free = {balance.asset: balance.free for balance in balances}
        return Snapshot(
            price=point.price,
            block_number=block_number,
            free_base=free.get(book.pair.base.id, 0),
            free_quote=free.get(book.pair.quote.id, 0),
            in_flight=any(order.strategy == book.name for order in orders),
        )
