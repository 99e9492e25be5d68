"""A trader process without an engine: claims orders and moves them at random until somebody kills it.

`python -m tests.integration.store_child DSN NAME SEED claim|churn`. Prints a line for each order it claims.
"""

import asyncio
import random
import sys
import time

from tests.fakes.books import ROAD, approve, step
from tests.fakes.trade import NO_LIMITS, fill, new_order, quote_of
from trader.adapters.postgres.order_store import PostgresOrderStore, open_order_store
from trader.domain.errors import FundsShortError, LeaseLostError
from trader.domain.orders import OrderKind, OrderState
from trader.domain.quotes import Fill
from trader.domain.time import UnixMs
from trader.ports.order_store import Claim

LEASE_MS = 200  # short, so that the orders of a killed process are soon taken over


async def main(dsn: str, name: str, seed: int, mode: str) -> None:
    chance = random.Random(seed)
    async with open_order_store(dsn, connections=4) as store:
        if mode == "claim":
            while claims := await store.claim(name, _now(), 60_000, 3):
                for claim in claims:
                    print(claim.order.id, flush=True)  # noqa: T201  the parent reads it
            return
        await asyncio.gather(*(_churn(store, name, chance) for _ in range(4)))


async def _churn(store: PostgresOrderStore, name: str, chance: random.Random) -> None:
    while True:
        if chance.random() < 0.3:
            await store.create(new_order(chance.randint(1, 3_000), created_at=_now()))
        for claim in await store.claim(name, _now(), LEASE_MS, 2):
            print(claim.order.id, flush=True)  # noqa: T201  the parent waits for it
            try:
                await _move(store, claim, chance)
            except (LeaseLostError, FundsShortError):
                continue


async def _move(store: PostgresOrderStore, claim: Claim, chance: random.Random) -> None:
    for _ in range(chance.randint(1, 4)):
        state, order = claim.order.state, claim.order
        if state is OrderState.MINED:
            await store.settle(claim, _fill(claim, chance), _now())
            return
        if state in {OrderState.INTENT, OrderState.QUOTED, OrderState.RESERVED} and chance.random() < 0.1:
            await store.give_up(claim, "enough", _now())
            return
        if state is OrderState.BROADCAST and chance.random() < 0.2:
            await store.drop(claim, "replaced", chance.randint(0, 9), _now())
            return
        if state is OrderState.RESERVED and order.kind is OrderKind.SWAP and chance.random() < 0.3:
            await approve(store, claim, now=_now(), lease_ms=0)
        if state is OrderState.QUOTED:
            reserved = await store.reserve(claim, NO_LIMITS, _now())
            if not isinstance(reserved, Claim):
                await store.give_up(claim, reserved, _now())
                return
            claim = reserved
        else:
            claim = await step(store, claim, ROAD[ROAD.index(state) + 1])
    await store.let_go(claim, _now())


def _fill(claim: Claim, chance: random.Random) -> Fill:
    if claim.order.kind is OrderKind.APPROVAL:
        return fill(spent=0, received=0, fee_paid_wei=chance.randint(1, 99))
    return fill(
        spent=claim.order.amount_in,
        received=quote_of(claim.order).amount_out,
        fee_paid_wei=chance.randint(1, 99),
        reverted=chance.random() < 0.2,
    )


def _now() -> UnixMs:
    return UnixMs(time.time_ns() // 1_000_000)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4]))
