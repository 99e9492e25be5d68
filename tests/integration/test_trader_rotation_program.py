"""Whole traders and a rotation: killed in four of its states, and two of them side by side. Drift is 0."""

import asyncio
import random
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest_asyncio

from tests.fakes.fake_signer import FakeSigner
from tests.fakes.signer_server import signer_server
from tests.integration.test_trader_program import TRADER, settings_file
from tests.integration.trader_rotation_rig import SUCCESSOR, sweep, sweep_token
from tests.testbed.anvil import CHAIN_ID
from tests.testbed.bed import Bed
from tests.testbed.price_mover import PriceMover
from tests.testbed.processes import Child, until
from tests.testbed.uniswap import ETHER, USDX_UNIT
from trader.app import Office, open_office
from trader.domain.ids import WalletId, address_of
from trader.domain.orders import Order, OrderKind, OrderState
from trader.engine.reconcile import chain_balances
from trader.settings import load


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """Two trader processes on one database, and the signer that says what the test lets it say."""

    bed: Bed
    signer: FakeSigner
    settings: Path
    folder: Path

    def trader(self, name: str) -> Child:
        arguments = [sys.executable, "-m", "trader", "run", "--config", str(self.settings), "--live"]
        return Child(arguments, log=self.folder / f"{name}.log")

    def begin(self, source: WalletId, target: WalletId) -> None:
        self.signer.rotate(target, None, state="active")
        self.signer.rotate(source, target)

    async def finish(self, source: WalletId, target: WalletId) -> None:
        await sweep(self.bed, source, target)
        await self.sync_nonces()
        self.signer.rotate(source, target, swept=True)

    async def traded(self, office: Office, wallet: WalletId, *, more_than: int = 0) -> int:
        """Move the price until another swap of the wallet has settled."""
        mover = PriceMover(self.bed.anvil, self.bed.world, "WETH")
        found: Sequence[Order] = ()
        for step in range(600):
            found = await office.store.orders(open_only=False, limit=1_000)
            count = sum(
                order.wallet == wallet and order.kind is OrderKind.SWAP and order.state is OrderState.SETTLED
                for order in found
            )
            if count > more_than:
                return count
            await mover.move(30 if step % 20 < 10 else -30)
            await asyncio.sleep(0.05)
        raise AssertionError(f"{wallet} does not trade: {[(o.state, o.reason) for o in found[:20]]}")

    async def sync_nonces(self) -> None:
        for wallet in self.signer.nonces:
            count = await self.bed.anvil.rpc("eth_getTransactionCount", address_of(wallet), "latest")
            self.signer.nonces[wallet] = int(str(count), 16)


@pytest_asyncio.fixture
async def stage(bed: Bed, tmp_path: Path) -> AsyncIterator[Stage]:
    account = bed.accounts[TRADER]
    await bed.fund(account.address, "USDX", 100_000 * USDX_UNIT)
    await bed.fund(account.address, "WETH", 10 * ETHER)
    signer = FakeSigner(account, chain_id=CHAIN_ID)
    async with signer_server(signer, tmp_path) as target:
        path = settings_file(bed, tmp_path, target)
        text = path.read_text().replace(
            "lease_ms = 20000", "lease_ms = 2000"
        )  # the dead one's orders wait for it
        path.write_text(text.replace("[signer]", "[signer]\ndeadline_ms = 1000"))
        yield Stage(bed=bed, signer=signer, settings=path, folder=tmp_path)


async def test_a_whole_trader_killed_in_four_states_of_a_rotation_trades_on_with_the_successor(
    stage: Stage,
) -> None:
    signer, chance = stage.signer, random.Random(5)
    old, new = signer.wallet, signer.hold(stage.bed.accounts[SUCCESSOR])
    steps = ("noticed", "swept half", "said to be swept", "booked")
    async with AsyncExitStack() as stack:
        office = await stack.enter_async_context(open_office(load(stage.settings)))
        settled = {old: 0, new: 0}
        trader = await stack.enter_async_context(stage.trader("first"))
        for step, (source, target) in zip(steps, [(old, new), (new, old)] * 2, strict=True):
            settled[source] = await stage.traded(office, source, more_than=settled[source])
            stage.begin(source, target)
            await until(partial(_moving, office, source), what="the rotation is noticed")
            if step == "noticed":
                trader = await _replaced(trader, stage, stack)
            await until(partial(_idle, office, source), what="orders have ended", timeout_s=30)
            await sweep_token(stage.bed, "USDX", source, address_of(target))
            if step == "swept half":
                trader = await _replaced(trader, stage, stack)
            await stage.finish(source, target)
            if step == "said to be swept":
                await asyncio.sleep(chance.random() * 0.05)
                trader = await _replaced(trader, stage, stack)
            await until(partial(_at, office, source, target), what="the move is booked")
            if step == "booked":
                trader = await _replaced(trader, stage, stack)
        await stage.traded(office, old, more_than=settled[old])
        await until(partial(_idle, office, old), what="orders have ended", timeout_s=30)
        trader.kill()
        await _assert_closed(office, old, new, moves=4)


async def test_two_traders_follow_one_rotation_and_book_it_once(stage: Stage) -> None:
    signer = stage.signer
    old, new = signer.wallet, signer.hold(stage.bed.accounts[SUCCESSOR])
    async with open_office(load(stage.settings)) as office, stage.trader("one") as one:
        await stage.traded(office, old)
        async with stage.trader("other"):
            stage.begin(old, new)
            await until(partial(_moving, office, old), what="the rotation is noticed")
            await until(partial(_idle, office, old), what="orders have ended", timeout_s=30)
            await stage.finish(old, new)
            await until(partial(_at, office, old, new), what="the move is booked")
            one.kill()  # the other one trades on by itself, without having been started anew
            await stage.traded(office, new)
            await until(partial(_idle, office, new), what="orders have ended", timeout_s=30)
        await _assert_closed(office, old, new, moves=1)


async def _replaced(trader: Child, stage: Stage, stack: AsyncExitStack) -> Child:
    trader.kill()
    return await stack.enter_async_context(stage.trader(f"after-{trader.pid}"))


async def _assert_closed(office: Office, old: WalletId, new: WalletId, *, moves: int) -> None:
    assert [await _drift(office, wallet) for wallet in (old, new)] == [{}, {}]
    assert len(await office.store.moves(new)) == moves
    assert await office.store.halted() == {}


async def _moving(office: Office, wallet: WalletId) -> bool:
    return (await office.store.standing(wallet)).move is not None


async def _at(office: Office, source: WalletId, target: WalletId) -> bool:
    standing = await office.store.standing(source)
    return standing.wallet == target and standing.move is None


async def _idle(office: Office, wallet: WalletId) -> bool:
    opened = await office.store.orders(open_only=True, limit=100)
    return all(order.wallet != wallet for order in opened)


async def _drift(office: Office, wallet: WalletId) -> dict[str, int]:
    head = await office.node.head()
    books = await office.store.close_books(wallet)
    chain = await chain_balances(office.desk, wallet, office.assets, head.number)
    gaps = {asset: amount - books.get(asset, 0) for asset, amount in chain.items()}
    return {asset: gap for asset, gap in gaps.items() if gap}
