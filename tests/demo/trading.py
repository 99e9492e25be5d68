"""The price moves, the trader trades; shows every order as it stands, until all are closed."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import partial

import asyncpg
from rich.console import Console
from rich.live import Live
from rich.table import Table

from tests.testbed.bed import Bed
from tests.testbed.processes import Child
from tests.testbed.uniswap import World

ENOUGH_SWAPS, ENOUGH_PER_VENUE = 6, 2
LONGEST_S = 75
CLOSED = ("settled", "refused", "expired", "reverted", "dropped")
PATH_BPS = (45, 45, 45, -45, -45, -45)
QUIET_LOOKS = 10  # longer than a strategy's window: its last signal may come after the last move
COLUMNS = ("order", "kind", "venue", "gives", "gets", "state")
SHOWN_ROWS = 18
_ORDERS = """
SELECT left(id::text, 8) AS order, kind, venue, asset_in, asset_out, amount_in::text AS amount_in,
       coalesce(amount_received::text, '') AS received, state, coalesce(reason, '') AS reason
FROM orders ORDER BY created_at, id
"""


Orders = Sequence[asyncpg.Record]


@dataclass(frozen=True, slots=True, kw_only=True)
class Traded:
    """Settled swaps, the venues that they went through, settled approvals, and what is still open."""

    swaps: int
    venues: frozenset[str]
    approvals: int
    open_orders: int


async def trade(console: Console, bed: Bed, trader: Child) -> Traded:
    """Move the prices until enough has settled on both venues, then hold them still until nothing is open."""
    connection = await asyncpg.connect(bed.dsn)
    try:
        with _screen(console, bed.world) as show:
            watch = partial(_watch, connection, trader, show)
            async with _moving(bed):
                await watch(enough)
            await watch(_closed_for(QUIET_LOOKS))
        return summary(await connection.fetch(_ORDERS))
    finally:
        await connection.close()


def summary(orders: Orders) -> Traded:
    """Count the orders."""
    swaps = [order for order in orders if order["kind"] == "swap" and order["state"] == "settled"]
    return Traded(
        swaps=len(swaps),
        venues=frozenset(order["venue"] for order in swaps),
        approvals=sum(1 for order in orders if order["kind"] == "approval" and order["state"] == "settled"),
        open_orders=sum(1 for order in orders if order["state"] not in CLOSED),
    )


def enough(orders: Orders) -> bool:
    """Whether there is enough to show on both venues."""
    settled = [order["venue"] for order in orders if order["kind"] == "swap" and order["state"] == "settled"]
    per_venue = [settled.count(venue) for venue in ("uniswap_v2", "uniswap_v3")]
    return len(settled) >= ENOUGH_SWAPS and min(per_venue) >= ENOUGH_PER_VENUE


def all_closed(orders: Orders) -> bool:
    """Whether every order has ended."""
    return all(order["state"] in CLOSED for order in orders)


def _closed_for(looks: int) -> Callable[[Orders], bool]:
    """Whether every order has ended, and so many looks in a row."""
    seen = 0

    def done(orders: Orders) -> bool:
        nonlocal seen
        seen = seen + 1 if all_closed(orders) else 0
        return seen >= looks

    return done


@contextlib.asynccontextmanager
async def _moving(bed: Bed) -> AsyncIterator["asyncio.Task[None]"]:
    movers = (bed.mover("ABC"), bed.mover("WETH"))

    async def move() -> None:
        while True:
            for bps in PATH_BPS:
                for mover in movers:
                    await mover.move(bps)

    task = asyncio.create_task(move())
    try:
        yield task
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def _watch(
    connection: "asyncpg.Connection[asyncpg.Record]",
    trader: Child,
    show: Callable[[Orders], None],
    done: Callable[[Orders], bool],
) -> None:
    """Show the orders until `done`; gives up after LONGEST_S, and the figures of the demo say so."""
    deadline = time.monotonic() + LONGEST_S
    while time.monotonic() < deadline:
        orders = await connection.fetch(_ORDERS)
        show(orders)
        if done(orders):
            return
        if trader.returncode is not None:
            raise RuntimeError(f"the trader ended with {trader.returncode}:\n{trader.log()[-2_000:]}")
        await asyncio.sleep(0.25)


@contextlib.contextmanager
def _screen(console: Console, world: World) -> Iterator[Callable[[Orders], None]]:
    """On a terminal one live table; elsewhere a line for each order that ended."""
    if not console.is_terminal:
        ended: set[str] = set()
        yield lambda orders: _print_ended(console, world, orders, ended)
        return
    with Live(console=console, refresh_per_second=4) as live:
        yield lambda orders: live.update(_table(world, orders))


def _print_ended(console: Console, world: World, orders: Orders, ended: set[str]) -> None:
    for order in orders:
        if order["state"] in CLOSED and order["order"] not in ended:
            ended.add(order["order"])
            name, kind, venue, gives, gets, state = _row(world, order)
            console.print(f"{name}  {kind:8}  {venue:10}  {gives:>12} -> {gets:13}  {state}", soft_wrap=True)


def _table(world: World, orders: Orders) -> Table:
    table = Table(*COLUMNS, title=f"{len(orders)} orders, newest last", title_justify="left")
    for order in orders[-SHOWN_ROWS:]:
        table.add_row(*_row(world, order), style=_STYLES.get(order["state"]))
    return table


def _row(world: World, order: asyncpg.Record) -> tuple[str, ...]:
    state = order["state"] if not order["reason"] else f"{order['state']}: {order['reason']}"
    approval = order["kind"] == "approval"
    gets = "allowance" if approval else _amount(world, order["asset_out"], order["received"])
    gives = _amount(world, order["asset_in"], order["amount_in"])
    return order["order"], order["kind"], order["venue"], gives, gets, state


def _amount(world: World, asset: str, units: str) -> str:
    """Four digits after the point: this is for reading, the books are compared in base units."""
    token = asset.rpartition(":")[2]
    symbol, decimals = {world.usdx: ("USDX", 6), world.weth: ("WETH", 18), world.abc: ("ABC", 18)}[token]
    if not units:
        return f"? {symbol}"
    return f"{Decimal(units).scaleb(-decimals):.4f} {symbol}"


_STYLES = {
    "settled": "green",
    "refused": "red",
    "reverted": "red",
    "unknown": "bold yellow",
    "expired": "dim",
}
