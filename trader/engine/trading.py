"""From prices to intents: a task per pair asks its strategy at each new block. Refuses to guess a price.

It opens orders only; everything after that is the workers' business.
"""

import asyncio
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, replace
from random import Random

import structlog
from structlog.typing import FilteringBoundLogger

from trader.domain.errors import ChainUnavailableError, SignerNotReadyError, SignerUnavailableError
from trader.domain.ids import AssetId, OrderId, StrategyName, WalletId
from trader.domain.orders import OrderKind
from trader.domain.time import UnixMs
from trader.engine.desk import Desk
from trader.engine.groups.choose import pick_account, trading_wallets
from trader.engine.groups.group import Group
from trader.engine.opening import open_order
from trader.engine.supervisor import pause
from trader.portfolio.choosing import Pick
from trader.ports.order_store import NewOrder
from trader.ports.price_feed import Pair, PriceFeed
from trader.strategy.momentum import MomentumRules, MomentumState, decide
from trader.strategy.signals import Signal, Snapshot

log: FilteringBoundLogger = structlog.get_logger("trader.trading")

_MOST_OPEN_ORDERS = 1_000
_UUID_BITS = 128


@dataclass(frozen=True, slots=True, kw_only=True)
class Book:
    """One pair, traded by one strategy on one wallet, or on whichever account of `group` would sign.

    `venue` is a venue's name or `best`. `order_life_ms`: an order that is not signed by then expires; where
    people confirm, that is their time for the approval and the swap.
    """

    name: StrategyName
    wallet: WalletId
    group: Group | None = None
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

    async def place(self, signal: Signal) -> OrderId | None:
        """Write the order and wake a worker; None when no account would sign it: the signal is dropped."""
        pick = await self._pick(signal)
        if pick is None:
            return None
        now, book = self._desk.clock.now(), self._book
        order = NewOrder(
            id=OrderId(str(uuid.UUID(int=self._rng.getrandbits(_UUID_BITS), version=4))),
            kind=OrderKind.SWAP,
            wallet=pick.wallet,
            strategy=book.name,
            venue=book.venue,
            asset_in=signal.asset_in,
            asset_out=signal.asset_out,
            amount_in=pick.amount,
            max_slippage_bps=book.max_slippage_bps,
            live=self._live,
            created_at=now,
            expires_at=UnixMs(now + book.order_life_ms),
            wallet_group=None if book.group is None else book.group.name,
        )
        await open_order(self._desk, order)
        log.info(
            "signal.placed",
            order=order.id,
            strategy=book.name,
            wallet=pick.wallet,
            amount_in=pick.amount,
            wanted=signal.amount_in,
            why=signal.why,
        )
        return order.id

    async def _pick(self, signal: Signal) -> Pick | None:
        """The account comes first: it is in the order from its first row, and the quote is for it."""
        book = self._book
        if book.group is None:
            return Pick(wallet=book.wallet, amount=signal.amount_in)
        why = "no account of the wallet would sign it now"
        try:
            pick = await pick_account(self._desk, book.group, signal.asset_in, signal.amount_in)
        except (SignerUnavailableError, SignerNotReadyError) as error:
            pick, why = None, str(error)
        if pick is None:
            log.warning("signal.dropped", strategy=book.name, amount_in=signal.amount_in, why=why)
        return pick

    async def _snapshot(self, block_number: int) -> Snapshot:
        book = self._book
        point, free, orders = await asyncio.gather(
            self._feed.price(book.pair, block_number),
            self._free(),
            self._desk.store.orders(open_only=True, limit=_MOST_OPEN_ORDERS),
        )
        return Snapshot(
            price=point.price,
            block_number=block_number,
            free_base=free.get(book.pair.base.id, 0),
            free_quote=free.get(book.pair.quote.id, 0),
            in_flight=any(order.strategy == book.name for order in orders),
        )

    async def _free(self) -> Mapping[AssetId, int]:
        """Of a wallet of several accounts, the most that one of them has: an order is one account's."""
        book, store = self._book, self._desk.store
        wallets = [book.wallet] if book.group is None else await trading_wallets(self._desk, book.group)
        free: dict[AssetId, int] = {}
        for balances in await asyncio.gather(*(store.balances(wallet) for wallet in wallets)):
            for balance in balances:
                free[balance.asset] = max(free.get(balance.asset, 0), balance.free)
        return free
