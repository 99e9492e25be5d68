"""A trader with two accounts of one wallet, without its process; before one of them is a person."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from random import Random

from tests.fakes.fake_people import APPROVE
from tests.integration.trader_rig import CHAIN, Rig, trader_rig
from tests.testbed.bed import Bed
from tests.testbed.uniswap import ETHER, USDX_UNIT
from trader.adapters.uniswap.erc20 import OwnTransfers
from trader.domain.assets import Asset
from trader.domain.ids import AssetId, IdempotencyKey, OrderId, StrategyName, WalletId, native
from trader.domain.orders import CLOSED_STATES, Order, OrderState
from trader.engine.attended.asking import Asking
from trader.engine.attended.people import People
from trader.engine.attended.watch import Watcher
from trader.engine.desk import Desk
from trader.engine.groups.group import Group, WhenAway
from trader.engine.groups.hand_over import following_id
from trader.engine.reconcile import compare_books, open_books
from trader.engine.trading import Book, Trading
from trader.engine.treasury import TopUpLine, Treasury
from trader.ports.price_feed import Pair, PricePoint
from trader.strategy.momentum import MomentumRules
from trader.strategy.signals import Signal

DEVICE = 2
GROUP = "main"
PERSON_MS = 60_000
LIFE_MS = 300_000
LEAST = 100 * USDX_UNIT


class NoFeed:
    """The tests give the signals."""

    async def price(self, pair: Pair, block_number: int) -> PricePoint:
        raise AssertionError(f"nobody asks for {pair} at {block_number}")


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupRig:
    """`rig.wallet` is the hot account; `crashed` gives the next life of the trader."""

    rig: Rig
    device: WalletId

    @property
    def hot(self) -> WalletId:
        return self.rig.wallet

    @property
    def desk(self) -> Desk:
        return self.rig.desk

    def when_away(self, when_away: WhenAway) -> "GroupRig":
        changed = replace(self.desk.groups[GROUP], when_away=when_away)
        return self.with_desk(replace(self.desk, groups={GROUP: changed}))

    def with_desk(self, desk: Desk) -> "GroupRig":
        return replace(self, rig=replace(self.rig, desk=desk))

    async def crashed(self, **changes: int) -> "GroupRig":
        """The same database, chain, signer and person; what lived in memory is gone."""
        await self.desk.asking.close()
        config = replace(self.desk.config, **changes)  # type: ignore[arg-type]  # the fields are ints
        fresh = replace(self.rig.restart().desk, config=config, groups=self.desk.groups)
        made = self.with_desk(replace(fresh, people=People(), asking=Asking()))
        await made.learn()
        return made

    async def learn(self) -> None:
        self.desk.people.learn(await self.rig.signer.accounts())

    async def place(self, amount: int, *, sell: bool = False) -> OrderId | None:
        """What a strategy on the group does with a signal."""
        rig = self.rig
        pair = Pair(base=_asset(rig.weth), quote=_asset(rig.usdx))
        rules = MomentumRules(
            base=rig.weth,
            quote=rig.usdx,
            window=2,
            threshold_bps=1,
            buy_amount=1,
            sell_amount=1,
            cooldown_ms=0,
        )
        book = Book(
            name=StrategyName("test"),
            wallet=self.hot,
            group=self.desk.groups[GROUP],
            pair=pair,
            rules=rules,
            venue="uniswap_v2",
            max_slippage_bps=50,
            order_life_ms=LIFE_MS,
        )
        trading = Trading(self.desk, NoFeed(), book, Random(amount), live=True, block_poll_ms=1)
        trading._rng = Random(f"{amount} {self.rig.clock.now()}")
        asset_in, asset_out = (rig.weth, rig.usdx) if sell else (rig.usdx, rig.weth)
        return await trading.place(
            Signal(asset_in=asset_in, asset_out=asset_out, amount_in=amount, why="a test")
        )

    def treasury(self, asset: AssetId, *, below: int, to_level: int, most: int = 10**30) -> Treasury:
        line = TopUpLine(
            source=self.device,
            target=self.hot,
            asset=asset,
            below=below,
            to_level=to_level,
            most=most,
            min_interval_ms=60_000,
            life_ms=LIFE_MS,
        )
        rng = Random(f"{self.rig.clock.now()} {id(line)}")
        return Treasury(self.desk, OwnTransfers(), line, rng, live=True, every_ms=1)

    async def asked(self) -> IdempotencyKey:
        """Look until somebody is asked for something; its key."""
        people = self.rig.signer.people
        for _ in range(3_000):
            if people.waiting():
                return people.waiting()[0]
            await self.rig.look()
            await asyncio.sleep(0.005)
        raise AssertionError(f"nobody is asked: {await self.rig.store.orders(open_only=True, limit=9)}")

    async def press(self, button: str = APPROVE) -> IdempotencyKey:
        """Somebody is asked, and presses."""
        key = await self.asked()
        self.rig.signer.people.press(key, button)
        return key

    async def follower(self, order: OrderId) -> Order:
        """Look until the order that follows this one is there; it."""
        for _ in range(3_000):
            found = await self.rig.store.get(following_id(order))
            if found is not None:
                return found
            await self.rig.look()
            await asyncio.sleep(0.005)
        raise AssertionError(f"nothing follows {await self.rig.get(order)}")

    async def until_all_closed(self) -> list[Order]:
        """Look until no order is open; all of them, oldest first."""
        for _ in range(3_000):
            orders = list(await self.rig.store.orders(open_only=False, limit=500))
            if all(order.state in CLOSED_STATES for order in orders):
                return orders[::-1]
            await self.rig.look()
            await asyncio.sleep(0.005)
        left = await self.rig.store.orders(open_only=True, limit=9)
        raise AssertionError([(order.kind, order.state, order.reason) for order in left])

    async def settled_swaps(self) -> list[Order]:
        orders = await self.until_all_closed()
        return [one for one in orders if one.state is OrderState.SETTLED and one.kind == "swap"]

    async def assert_both_books_close(self) -> None:
        for wallet in (self.hot, self.device):
            await self.rig.store.close_books(wallet)
            drift = await compare_books(self.desk, wallet, self.rig.assets)
            assert drift is not None, "orders are still under way"
            assert drift.by_asset == {}, wallet


@contextlib.asynccontextmanager
async def group_rig(bed: Bed) -> AsyncIterator[GroupRig]:
    async with trader_rig(bed) as rig:
        account = bed.accounts[DEVICE]
        await bed.fund(account.address, "USDX", 100_000 * USDX_UNIT)
        await bed.fund(account.address, "WETH", 10 * ETHER)
        device = rig.signer.hold(account)
        rig.signer.group(GROUP, rig.wallet, device)
        rig.signer.attend(device, person_ms=PERSON_MS)
        group = Group(
            name=GROUP,
            wallets=(rig.wallet, device),
            when_away=WhenAway.SMALLER,
            min_amount_in={rig.usdx: LEAST, rig.weth: ETHER // 100},
        )
        made = GroupRig(rig=rig, device=device).with_desk(replace(rig.desk, groups={GROUP: group}))
        assert await open_books(made.desk, device, rig.assets)
        await rig.store.group_wallets(GROUP, group.wallets)
        await made.learn()
        try:
            yield made
        finally:
            await made.desk.asking.close()


@contextlib.asynccontextmanager
async def watched(made: GroupRig) -> AsyncIterator[None]:
    """The trader hears what waits for a person."""
    stop = asyncio.Event()
    watching = asyncio.create_task(Watcher(made.desk, every_ms=10).run(stop))
    await asyncio.sleep(0.05)
    try:
        yield
    finally:
        stop.set()
        await watching


def _asset(asset: AssetId) -> Asset:
    return Asset(id=asset, symbol="X", decimals=18)


COIN = native(CHAIN)
