"""A trader with a wallet of two accounts until it is killed; see `killed_lives`. A line is `CLOCK STEP`.

Arguments: URL of the chain, addresses of the chain's contracts (a JSON file), DSN, the signer's socket, the
name of the wallet, the asset that is given, and the wallet's accounts. Steps are the calls of all ports.
"""

import asyncio
import sys
from dataclasses import replace
from pathlib import Path

from tests.integration.killed_lives import Death, live_by_line
from tests.integration.trader_rotation_child import told, trader
from tests.testbed.uniswap import World
from trader.domain.ids import AssetId, WalletId
from trader.domain.time import UnixMs
from trader.engine.desk import Desk
from trader.engine.groups.group import Group, WhenAway
from trader.engine.worker import Worker

_WORKS = 400
"""More looks than orders that are under way need to end."""


async def end_orders(desk: Desk) -> None:
    """What a trader's worker does until nothing is open."""
    desk.people.learn(await desk.signer.accounts())
    worker, stop = Worker(desk, "worker"), asyncio.Event()
    for _ in range(_WORKS):
        if not await desk.store.orders(open_only=True, limit=1):
            return
        for claim in await desk.store.claim("worker", desk.clock.now(), desk.config.lease_ms, 1):
            await worker.work(claim, stop)
        await desk.clock.sleep_ms(50)
    raise AssertionError(await desk.store.orders(open_only=True, limit=10))


def main() -> None:
    url, world, dsn, socket, name, given, *wallets = sys.argv[1:]
    contracts = World.load(Path(world))
    group = Group(
        name=name,
        wallets=tuple(WalletId(wallet) for wallet in wallets),
        when_away=WhenAway.SMALLER,
        min_amount_in={AssetId(given): 1},
    )

    async def live(line: str) -> None:
        at, step = line.split()
        death = Death(int(step))
        async with trader(url, contracts, dsn, socket, UnixMs(int(at))) as desk:
            dying = told(replace(desk, groups={name: group}), lambda _name: death.step())
            await end_orders(dying)

    live_by_line(live)


if __name__ == "__main__":
    main()
