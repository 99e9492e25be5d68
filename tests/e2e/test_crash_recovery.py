"""SIGKILL at any moment, to either program or both: nothing lost, nothing twice, books close to the wei."""

import asyncio
import random
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.e2e.books import Books, open_books
from tests.e2e.scene import Scene, Stage
from tests.testbed.processes import Child
from tests.testbed.signer_program import serving
from trader.domain.orders import Order, OrderKind, OrderState

SEED = 20_261_121
LONGEST_LIFE_S = 1.2


@dataclass(frozen=True, slots=True, kw_only=True)
class Play:
    """Both programs under way, a price that moves, and dice for the moment of death."""

    scene: Scene
    books: Books
    signer: Child
    trader: Child
    rng: random.Random

    async def live_a_little(self) -> None:
        await asyncio.sleep(self.rng.uniform(0, LONGEST_LIFE_S))

    async def restart_signer(self) -> None:
        self.signer.start()
        await serving(self.scene.signer, self.signer)

    async def restart_trader(self) -> None:
        starts = self.trader.log().count("trader.started")
        self.trader.start()
        while self.trader.log().count("trader.started") == starts:
            assert self.trader.returncode is None, self.trader.log()[-2_000:]
            await asyncio.sleep(0.02)


async def test_a_trader_killed_at_ten_random_moments_loses_and_repeats_nothing(
    stage: Stage, tmp_path: Path
) -> None:
    async with _play(stage, tmp_path) as play:
        caught: list[OrderState] = []
        async with play.scene.tide():
            for _ in range(10):
                await play.live_a_little()
                play.trader.kill()
                caught += [order.state for order in await _open(play.books)]
                await play.restart_trader()
            await play.books.until_settled(1)
        await _assert_nothing_lost_or_twice(play)

    assert caught, "no order was open at any kill"


async def test_a_signer_killed_while_it_is_asked_signs_nothing_twice(stage: Stage, tmp_path: Path) -> None:
    async with _play(stage, tmp_path) as play:
        async with play.scene.tide():
            for _ in range(3):
                await play.live_a_little()
                play.signer.kill()
                await asyncio.sleep(0.2)  # the trader asks a signer that is not there
                await play.restart_signer()
            await play.books.until_settled(1)
        await _assert_nothing_lost_or_twice(play)


async def test_both_killed_at_once_find_each_other_again(stage: Stage, tmp_path: Path) -> None:
    async with _play(stage, tmp_path) as play:
        async with play.scene.tide():
            for _ in range(3):
                await play.live_a_little()
                play.signer.kill()
                play.trader.kill()
                await asyncio.gather(play.restart_trader(), play.restart_signer())
            await play.books.until_settled(1)
        await _assert_nothing_lost_or_twice(play)


@asynccontextmanager
async def _play(stage: Stage, folder: Path) -> AsyncIterator[Play]:
    async with AsyncExitStack() as stack:
        scene = await stack.enter_async_context(Scene.open(stage, folder))
        books = await stack.enter_async_context(open_books(scene))
        await scene.fund()
        signer = await stack.enter_async_context(scene.serve())
        trader = await stack.enter_async_context(scene.trade(scene.trader()))
        yield Play(scene=scene, books=books, signer=signer, trader=trader, rng=random.Random(SEED))


async def _assert_nothing_lost_or_twice(play: Play) -> None:
    """Once everything has come to rest."""
    orders = await play.books.until_closed()
    await play.books.until_final()

    assert sum(order.state is OrderState.SETTLED for order in orders if order.kind is OrderKind.SWAP) >= 2
    await play.books.assert_one_swap_each()
    await play.books.assert_close()
    sent = [(nonce, tx_hash) for state, nonce, tx_hash in play.books.slots() if state == "final"]
    assert [nonce for nonce, _ in sorted(sent)] == list(range(await play.books.transaction_count()))
    assert {tx_hash for _, tx_hash in sent} == {
        order.transaction_hash for order in orders if order.state in (OrderState.SETTLED, OrderState.REVERTED)
    }


async def _open(books: Books) -> Sequence[Order]:
    return await books.store.orders(open_only=True, limit=100)
