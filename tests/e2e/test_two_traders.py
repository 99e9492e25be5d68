"""Two trader processes on one database share the work, and the survivor ends what the dead one began."""

import os
import signal
from collections.abc import Sequence
from pathlib import Path

import asyncpg

from tests.e2e.books import Books, open_books
from tests.e2e.scene import Scene, Stage
from tests.testbed.faults import Delay
from tests.testbed.processes import Child, until
from trader.domain.orders import OrderState

SEND = "eth_sendRawTransaction"
SLOW_S = 0.8  # less than the trader waits for its node


async def test_each_order_is_done_once_and_a_dead_traders_orders_are_taken_over(
    stage: Stage, tmp_path: Path
) -> None:
    async with Scene.open(stage, tmp_path) as scene, scene.serve(), open_books(scene) as books:
        await scene.fund()
        async with scene.trade(scene.trader("first")) as first:
            async with scene.tide():
                await books.until_settled(1)
            (doomed,) = await _processes(books)
            async with scene.trade(scene.trader("second")):
                async with scene.tide():
                    await _both_work(books)
                    scene.bed.proxy.fault(SEND, Delay(SLOW_S), times=None)
                    order = await _kill_while_it_sends(books, first, doomed)
                    scene.bed.proxy.clear()
                orders = await books.until_closed()
                await books.until_final()
        events = await _events(books, order)
        survivors = await _processes(books) - {doomed}

        assert len(survivors) == 1
        assert _process(events[-1]["owner"]) in survivors
        assert any(_process(event["owner"]) == doomed for event in events)
        assert [event["fence"] for event in events] == sorted(event["fence"] for event in events)
        assert (await _order_state(books, order)) is OrderState.SETTLED
        assert {found.state for found in orders} <= {
            OrderState.SETTLED,
            OrderState.REFUSED,
            OrderState.EXPIRED,
        }
        await books.assert_one_swap_each()
        await books.assert_close()


async def _both_work(books: Books) -> None:
    async def both() -> bool:
        return len(await _processes(books)) == 2

    await until(both, what="both traders advance orders")


async def _kill_while_it_sends(books: Books, trader: Child, process: str) -> str:
    """SIGKILL at a moment at which `process` holds a signed order; returns the order."""
    held: list[str] = []

    async def holds() -> bool:
        if not await _held(books, process):
            return False
        os.kill(trader.pid, signal.SIGSTOP)  # what it holds now, it holds when it is killed
        held[:] = await _held(books, process)
        if not held:
            os.kill(trader.pid, signal.SIGCONT)
        return bool(held)

    await until(holds, what="the first trader holds a signed order")
    trader.kill()
    assert held[0] in await _held(books, process), "it was let go before the kill"
    return held[0]


async def _held(books: Books, process: str) -> list[str]:
    rows = await _fetch(
        books,
        "SELECT id::text AS id FROM orders WHERE state = 'signed' AND starts_with(lease_owner, $1)",
        process,
    )
    return [str(row["id"]) for row in rows]


async def _order_state(books: Books, order: str) -> OrderState:
    (row,) = await _fetch(books, "SELECT state FROM orders WHERE id = $1::text::uuid", order)
    return OrderState(row["state"])


async def _events(books: Books, order: str) -> Sequence[asyncpg.Record]:
    owned = "SELECT owner, fence FROM order_events WHERE owner IS NOT NULL"
    return await _fetch(books, f"{owned} AND order_id = $1::text::uuid ORDER BY seq", order)


async def _processes(books: Books) -> set[str]:
    rows = await _fetch(books, "SELECT DISTINCT owner FROM order_events WHERE owner IS NOT NULL")
    return {_process(row["owner"]) for row in rows}


def _process(owner: str) -> str:
    """A worker's name is its process and its number."""
    return owner.partition("-")[0]


async def _fetch(books: Books, query: str, *arguments: object) -> Sequence[asyncpg.Record]:
    connection = await asyncpg.connect(books.scene.bed.dsn)
    try:
        rows: Sequence[asyncpg.Record] = await connection.fetch(query, *arguments)
        return rows
    finally:
        await connection.close()
