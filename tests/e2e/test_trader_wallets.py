"""Both programs over one wallet: an account on a Ledger, whose person the test plays, and one in memory."""

import asyncio
import contextlib
import re
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
import pytest_asyncio

from tests.e2e.device_scene import WALLET, DeviceScene
from tests.e2e.scene import said
from tests.e2e.wallet_scene import (
    BELOW_ON_HOT,
    HOT_ADDRESS,
    PER_TOP_UP,
    add_conditions,
    add_top_ups,
    fund,
    tokens,
)
from tests.testbed.postgres import PostgresServer
from tests.testbed.price_mover import PriceMover
from tests.testbed.processes import Child, until
from tests.testbed.trader_program import Momentum, TraderFiles, trader_program, trading
from tests.testbed.uniswap import ETHER, USDX_UNIT, UniswapState
from trader.adapters.postgres.order_store import PostgresOrderStore, open_order_store
from trader.domain.ids import AssetId, WalletId, chain_of, erc20, native, parse_address
from trader.domain.orders import CLOSED_STATES, Order, OrderKind, OrderState
from trader.engine.attended.give_up import GIVEN_UP

pytestmark = pytest.mark.asyncio(loop_scope="session")

SMALL, LARGE = 80 * USDX_UNIT, 1_500 * USDX_UNIT
LEAST = 100 * USDX_UNIT
PATIENCE_S = 120
LEASE_MS = 20_000
"""A process that is killed within a step holds its order so long: well within the patience."""


def _strategy(buy_amount: int) -> Momentum:
    return Momentum(
        symbol="ABC",
        venue="uniswap_v2",
        buy_amount=buy_amount,
        sell_amount=200 * ETHER,
        window=2,
        threshold_bps=8,
        cooldown_ms=600_000,  # one trade in each life
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """The scene, and the traders' database."""

    scene: DeviceScene
    store: PostgresOrderStore
    dsn: str
    folder: Path

    @property
    def device(self) -> WalletId:
        return WalletId(self.scene.signer.accounts[0])

    @property
    def hot(self) -> WalletId:
        return WalletId(self.scene.signer.accounts[1])

    def trader(
        self, name: str, buy_amount: int, *, when_away: str = "smaller", treasury: str = ""
    ) -> TraderFiles:
        """Files of a trader that trades so much at the next move of the price."""
        files = TraderFiles(
            folder=self.folder / name,
            signer=self.scene.signer,
            world=self.scene.signer.world,
            rpc_url=self.scene.chain.url,
            dsn=self.dsn,
            strategies=(_strategy(buy_amount),),
            confirmations=1,
        ).write()
        text = files.settings.read_text().replace(f'wallet = "{self.device}"\n', "")
        # The device's account laid the liquidity: it holds more than any limit, and limits are the wallet's.
        text = re.sub(r"max_position = .*\n", "", text)
        text = text.replace('quote = "USDX"', f'quote = "USDX"\nwallet = "{WALLET}"\norder_life_ms = 120000')
        text = text.replace("[engine]\n", f"[engine]\nlease_ms = {LEASE_MS}\n")
        text += f"""
[[wallets]]
name = "{WALLET}"
accounts = ["{self.device}", "{self.hot}"]
when_device_away = "{when_away}"
min_amount_in = {{ USDX = {LEAST} }}
{treasury}"""
        files.settings.write_text(text)
        return files

    def top_up(self, below: int) -> str:
        """A line of the treasury: out of the device, into the hot account."""
        return f"""
[[treasury]]
from = "{self.device}"
to = "{self.hot}"
token = "{self.scene.signer.world.usdx}"
below = {below}
to_level = {below}
max_per_top_up = {PER_TOP_UP}
min_interval_s = 3600
"""

    async def signal(self) -> None:
        """A move of the price that the strategy buys on."""
        mover = PriceMover(self.scene.chain, self.scene.signer.world, "ABC")
        for _ in range(2):
            await mover.move(10)
            await asyncio.sleep(0.25)

    async def orders(self, *kinds: OrderKind) -> Sequence[Order]:
        """Orders of some kinds (all, when none is named), oldest first."""
        found = await self.store.orders(open_only=False, limit=500)
        return [order for order in found[::-1] if not kinds or order.kind in kinds]

    async def until_some(self, state: OrderState) -> None:
        """Wait until an order stands there."""

        async def there() -> bool:
            return any(order.state is state for order in await self.orders())

        await until(there, what=f"an order is {state}", timeout_s=PATIENCE_S, every_s=0.05)

    async def until_settled(self, so: Callable[[Order], bool], what: str) -> Order:
        """Wait for a settled order; then until nothing is open."""

        async def there() -> bool:
            return any(order.state is OrderState.SETTLED and so(order) for order in await self.orders())

        try:
            await until(there, what=what, timeout_s=PATIENCE_S, every_s=0.1)
            await self.until_closed()
        except TimeoutError:
            lines = [f"{one.kind} {one.wallet} {one.state}: {one.reason}" for one in await self.orders()]
            raise AssertionError("\n".join([what, *lines])) from None
        return [one for one in await self.orders() if one.state is OrderState.SETTLED and so(one)][-1]

    async def until_closed(self) -> None:
        """Wait until no order is open."""

        async def closed() -> bool:
            return all(order.state in CLOSED_STATES for order in await self.orders())

        await until(closed, what="every order is closed", timeout_s=PATIENCE_S, every_s=0.1)

    async def assert_no_drift(self) -> None:
        """Both books, to the wei, next to the chain."""
        chain, world = chain_of(self.hot), self.scene.signer.world
        for wallet in (self.hot, self.device):
            booked = await self.store.close_books(wallet)
            owner = wallet.rpartition(":")[2]
            on_chain: dict[AssetId, int] = {native(chain): await self.scene.chain.balance(owner)}
            for symbol in ("USDX", "ABC", "WETH"):
                token = world.token(symbol)
                held = await self.scene.chain.uint(token, "balanceOf(address)", owner)
                on_chain[erc20(chain, parse_address(token))] = held
            assert {asset: on_chain[asset] - amount for asset, amount in booked.items() if amount} == {
                asset: 0 for asset, amount in booked.items() if amount
            }
        assert await self.store.halted() == {}

    @contextlib.asynccontextmanager
    async def willing_person(self) -> AsyncIterator[None]:
        """Whatever the device shows is approved."""

        async def press() -> None:
            while True:
                if self.scene.device.review is not None:
                    self.scene.device.approve()
                await asyncio.sleep(0.05)

        pressing = asyncio.create_task(press())
        try:
            yield
        finally:
            pressing.cancel()
            await asyncio.gather(pressing, return_exceptions=True)


@contextlib.asynccontextmanager
async def running(files: TraderFiles) -> AsyncIterator[Child]:
    async with trader_program(files) as child:
        await trading(child)
        yield child


@pytest_asyncio.fixture(scope="module", loop_scope="session", name="desk")
async def _desk(
    uniswap: UniswapState, postgres: PostgresServer, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Desk]:
    folder = tmp_path_factory.mktemp("wallets")
    async with DeviceScene.open(uniswap, folder) as scene, postgres.database() as dsn:
        add_conditions(scene.signer)
        add_top_ups(scene.signer)
        for account in (scene.signer.address, HOT_ADDRESS):
            await fund(scene.chain, scene.signer.world, account)
        async with scene.serve(), open_order_store(dsn, connections=2) as store:
            yield Desk(scene=scene, store=store, dsn=dsn, folder=folder)


async def test_small_trades_go_by_themselves(desk: Desk) -> None:
    async with running(desk.trader("small", SMALL)):
        await desk.signal()
        swap = await desk.until_settled(lambda one: one.kind is OrderKind.SWAP, "a small swap settles")

    assert (swap.wallet, swap.amount_in) == (desk.hot, SMALL)
    assert desk.scene.device.reviews == []
    await desk.assert_no_drift()


async def test_a_large_trade_waits_for_the_person_over_a_crash_and_is_traded_once(desk: Desk) -> None:
    files = desk.trader("large", LARGE)
    before = len(await desk.orders(OrderKind.SWAP))
    async with running(files) as trader:
        await desk.signal()
        await desk.scene.shown()
        await said(trader, '"order.waits_for_a_person"')
        status = await asyncio.to_thread(files.ask, "status")
        trader.kill()
        await trader.wait()
    async with running(files), desk.willing_person():
        large = await desk.until_settled(
            lambda one: one.kind is OrderKind.SWAP and one.amount_in == LARGE, "the large swap settles"
        )

    assert [row["kind"] for row in status["waiting"]] == ["approval"]
    assert large.wallet == desk.device
    assert len(await desk.orders(OrderKind.SWAP)) == before + 1
    await desk.assert_no_drift()


async def test_the_hot_account_is_refilled_once_a_person_approved(desk: Desk) -> None:
    had = await tokens(desk.scene, HOT_ADDRESS)
    files = desk.trader("refill", SMALL, treasury=desk.top_up(had + 10 * PER_TOP_UP))
    async with running(files), desk.willing_person():
        top_up = await desk.until_settled(lambda one: one.kind is OrderKind.TOP_UP, "the top-up settles")

    assert (top_up.wallet, top_up.recipient) == (desk.device, desk.hot)
    assert await tokens(desk.scene, HOT_ADDRESS) == had + PER_TOP_UP
    assert len(await desk.orders(OrderKind.TOP_UP)) == 1
    await desk.assert_no_drift()


async def test_without_the_device_trades_are_smaller_or_wait(desk: Desk) -> None:
    before = {order.id for order in await desk.orders()}
    desk.scene.device.unplug()
    async with running(desk.trader("waiting", LARGE, when_away="wait")) as trader:
        await desk.signal()
        await said(trader, '"signal.dropped"')
        waited = {order.id for order in await desk.orders()}
    async with running(desk.trader("smaller", LARGE)):
        await desk.signal()
        smaller = await desk.until_settled(
            lambda one: one.kind is OrderKind.SWAP and one.id not in before, "a smaller swap settles"
        )
    desk.scene.device.plug()

    assert waited == before
    assert (smaller.wallet, smaller.amount_in) == (desk.hot, BELOW_ON_HOT - 1)
    await desk.assert_no_drift()


async def test_an_order_that_expires_before_the_person_is_given_up_and_the_dialog_ends(desk: Desk) -> None:
    before = {order.id for order in await desk.orders()}
    files = desk.trader("impatient", LARGE)
    files.settings.write_text(
        files.settings.read_text().replace("order_life_ms = 120000", "order_life_ms = 6000")
    )
    async with running(files):
        await desk.signal()
        await desk.scene.shown()
        await desk.scene.cleared()
        await desk.until_closed()

    fresh = [order for order in await desk.orders() if order.id not in before]
    assert {(order.wallet, order.state) for order in fresh} == {(desk.device, OrderState.EXPIRED)}
    assert [order.reason for order in fresh if order.kind is OrderKind.APPROVAL] == [GIVEN_UP]
    await desk.assert_no_drift()


async def test_a_device_that_goes_away_before_the_swap_hands_it_over(desk: Desk) -> None:
    before = {order.id for order in await desk.orders()}
    async with running(desk.trader("handed", LARGE)) as trader:
        await desk.signal()
        await desk.scene.shown()
        await desk.scene.chain.rpc("evm_setIntervalMining", 0)
        desk.scene.device.approve()  # the allowance; the swap is asked for when it is mined
        await desk.until_some(OrderState.BROADCAST)
        desk.scene.device.open_app(None)
        await desk.scene.chain.rpc("evm_setIntervalMining", 1)
        handed = await desk.until_settled(
            lambda one: one.kind is OrderKind.SWAP and one.id not in before, "another account's swap settles"
        )
        log = trader.log()
    desk.scene.device.open_app("Ethereum")

    fresh = [one for one in await desk.orders(OrderKind.SWAP) if one.id not in before]
    assert [one.wallet for one in fresh] == [desk.device, desk.hot], log[-3000:]
    assert handed.follows == fresh[0].id
    await desk.assert_no_drift()
