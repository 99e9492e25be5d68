"""A trader that follows a rotation until it is killed; see `killed_lives`. A line is `CLOCK STEP`.

Arguments: URL of the chain, addresses of the chain's contracts (a JSON file), DSN, the signer's socket, the
wallet of the settings, assets. Steps are the calls of all ports: every method of the store is one database
transaction.
"""

import asyncio
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

from tests.fakes.crashing import Told, crashing
from tests.fakes.trader_clock import TraderClock
from tests.integration.killed_lives import Death, hear, live_by_line, say
from tests.integration.trader_rig import RPC_TIMEOUT_MS, make_desk
from tests.testbed.uniswap import World
from trader.adapters.evm_rpc.node import evm_node
from trader.adapters.postgres.order_store import PostgresOrderStore
from trader.adapters.postgres.pool import open_database
from trader.adapters.signer_client.channel import SignerTarget
from trader.adapters.signer_client.client import signer_client
from trader.domain.ids import AssetId, WalletId
from trader.domain.time import UnixMs
from trader.engine.desk import Desk
from trader.engine.rotation.follow import Follower
from trader.engine.rotation.mover import Mover
from trader.engine.worker import Worker

_WORKS = 200
"""More looks than orders that are under way need to end."""


async def follow_to_the_end(
    desk: Desk, configured: WalletId, assets: list[AssetId], waits: Callable[[], Awaitable[None]]
) -> None:
    """What a trader's tasks do, one after the other: notice the rotation, end what is open, book the move.

    `waits` lets the world go on.
    """
    while True:
        await Follower(desk, configured, every_ms=1).look()
        await _end_orders(desk)
        standing = await desk.store.standing(configured)
        if standing.move is None and standing.wallet != configured:
            return
        if standing.move is not None:
            await Mover(desk, standing.move, assets, every_ms=1).look()
        await waits()


async def _end_orders(desk: Desk) -> None:
    worker, stop = Worker(desk, "worker"), asyncio.Event()
    for _ in range(_WORKS):
        if not await desk.store.orders(open_only=True, limit=1):
            return
        for claim in await desk.store.claim("worker", desk.clock.now(), desk.config.lease_ms, 1):
            await worker.work(claim, stop)
        await desk.clock.sleep_ms(50)
    raise AssertionError(await desk.store.orders(open_only=True, limit=10))


@asynccontextmanager
async def trader(url: str, world: World, dsn: str, socket: str, at: UnixMs) -> AsyncIterator[Desk]:
    """A trader's desk, with a clock that stands at `at` and goes on when somebody sleeps."""
    clock = TraderClock(at)
    target = SignerTarget(address=socket, tls=None, plaintext_on_unix_socket=True)
    async with (
        evm_node(url, clock, timeout_ms=40 * RPC_TIMEOUT_MS) as node,
        open_database(dsn, connections=2) as database,
        signer_client(target) as signer,
    ):
        yield make_desk(world, clock, node, PostgresOrderStore(database), signer)


def told(desk: Desk, done: Callable[[str], None]) -> Desk:
    """The same desk, whose ports tell of every call that was made."""
    return replace(
        desk,
        store=crashing(desk.store, Told("store", done)),
        chain=crashing(desk.chain, Told("chain", done)),
        signer=crashing(desk.signer, Told("signer", done)),
    )


async def _hear() -> None:
    say("waits")
    if not hear():
        raise EOFError("the test is over")


def main() -> None:
    url, world, dsn, socket, wallet, *assets = sys.argv[1:]
    contracts = World.load(Path(world))

    async def live(line: str) -> None:
        at, step = line.split()
        death = Death(int(step))
        async with trader(url, contracts, dsn, socket, UnixMs(int(at))) as desk:
            dying = told(desk, lambda _name: death.step())
            await follow_to_the_end(dying, WalletId(wallet), [AssetId(asset) for asset in assets], _hear)

    live_by_line(live)


if __name__ == "__main__":
    main()
