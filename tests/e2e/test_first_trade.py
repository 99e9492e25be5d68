"""The whole path, two processes that do not trust each other: signal, verdict, signature, block, books."""

import asyncio
from collections import Counter
from pathlib import Path

from tests.e2e.books import open_books
from tests.e2e.scene import Scene, Stage
from tests.testbed.processes import until
from trader.domain.orders import OrderKind, OrderState
from trader.engine.steps.ask import DRY_RUN


async def test_momentum_trades_settle_on_both_venues_and_both_sides_agree_with_the_chain(
    stage: Stage, tmp_path: Path
) -> None:
    async with Scene.open(stage, tmp_path) as scene, scene.serve(), open_books(scene) as books:
        await scene.fund()
        files = scene.trader()
        async with scene.trade(files) as trader:
            async with scene.tide():
                await books.until_settled(2)
            await books.until_closed()
            await books.until_final()
            code = await trader.stop()
        status = await asyncio.to_thread(files.ask, "status")

        settled = await books.orders(OrderState.SETTLED)
        swaps = [order for order in settled if order.kind is OrderKind.SWAP]
        approved = {order.parent for order in settled if order.kind is OrderKind.APPROVAL}
        assert {order.venue for order in swaps} == {"uniswap_v2", "uniswap_v3"}
        assert {order.id for order in swaps} <= approved
        await books.assert_one_swap_each()
        await books.assert_close()
        assert Counter(state for state, _, _ in books.slots()) == {"final": await books.transaction_count()}
        assert status["halted"] == []
        assert code == 0


async def test_a_dry_run_asks_for_verdicts_and_sends_nothing(stage: Stage, tmp_path: Path) -> None:
    async with Scene.open(stage, tmp_path) as scene, scene.serve(), open_books(scene) as books:
        await scene.fund()
        async with scene.trade(scene.trader(), live=False):

            async def judged() -> bool:
                return any(order.reason == DRY_RUN for order in await books.orders())

            async with scene.tide():
                await until(judged, what="the signer says that it would sign")
            await books.until_closed()

        assert await books.transaction_count() == 0
        assert scene.bed.proxy.count("eth_sendRawTransaction") == 0
        assert {order.state for order in await books.orders()} <= {OrderState.EXPIRED, OrderState.REFUSED}
        assert books.slots() == []
        assert '"method":"SignEvmTransaction"' not in scene.signer.audit.read_text()
        await books.assert_close()
