"""The real order store on a real database, with shortcuts to bring an order into a state."""

import contextlib
from collections.abc import AsyncIterator, Mapping, Sequence

import asyncpg

from tests.fakes.trade import (
    COIN,
    DRAFT,
    NO_LIMITS,
    NOW,
    TKN,
    WALLET,
    WRAPPED,
    fill,
    new_approval,
    new_order,
    quote_of,
)
from trader.adapters.postgres.order_store import PostgresOrderStore, open_order_store
from trader.domain.ids import AssetId, IdempotencyKey
from trader.domain.orders import OrderState
from trader.domain.time import UnixMs
from trader.ports.order_store import Claim, NewOrder, OrderStore, ReserveRefusal

FUNDS: Mapping[AssetId, int] = {WRAPPED: 10_000, COIN: 10**9, TKN: 0}
LEASE_MS = 10_000
OWNER = "trader-a"

ROAD = (
    OrderState.INTENT,
    OrderState.QUOTED,
    OrderState.RESERVED,
    OrderState.SIGN_REQUESTED,
    OrderState.SIGNED,
    OrderState.BROADCAST,
    OrderState.MINED,
)
"""The way of an order that meets no trouble, up to the settlement."""


PORT: type[OrderStore] = PostgresOrderStore  # mypy's proof that the adapter is the port


@contextlib.asynccontextmanager
async def open_books(dsn: str, funds: Mapping[AssetId, int] = FUNDS) -> AsyncIterator[PostgresOrderStore]:
    """A store with the wallet opened."""
    async with open_order_store(dsn) as store:
        await store.open_wallet(WALLET, funds, 1, NOW)
        yield store


async def order_at(store: PostgresOrderStore, state: OrderState, new: NewOrder | None = None) -> Claim:
    """A claimed order that came to `state` by the usual way."""
    order = await store.create(new or new_order())
    claims = await store.claim(OWNER, NOW, LEASE_MS, 100)
    claim = next(claim for claim in claims if claim.order.id == order.id)
    for following in ROAD[1 : ROAD.index(state) + 1]:
        claim = await step(store, claim, following)
    return claim


async def step(store: PostgresOrderStore, claim: Claim, to: OrderState) -> Claim:
    """The next step of the usual way."""
    match to:
        case OrderState.QUOTED:
            return await store.quoted(claim, quote_of(claim.order), DRAFT, NOW)
        case OrderState.RESERVED:
            reserved = await store.reserve(claim, NO_LIMITS, NOW)
            assert isinstance(reserved, Claim), reserved
            return reserved
        case OrderState.SIGN_REQUESTED:
            return await store.ask_signature(claim, IdempotencyKey(f"key-{claim.order.id}"), DRAFT, NOW)
        case OrderState.SIGNED:
            return await store.signed(claim, "signer-1", 0, "0x" + "ab" * 32, NOW)
        case OrderState.BROADCAST:
            return await store.broadcast(claim, NOW)
        case OrderState.MINED:
            return await store.mined(claim, fill(spent=claim.order.amount_in), NOW)
        case _:
            raise AssertionError(f"{to} is not on the usual way")


async def approve(
    store: PostgresOrderStore, swap: Claim, *, now: UnixMs = NOW, lease_ms: int = LEASE_MS
) -> Claim | ReserveRefusal | None:
    """Open the approval that a claimed swap of `trade.new_order` needs."""
    order = new_approval(swap.order)
    return await store.open_approval(
        swap, order, quote_of(order, 0), DRAFT, NO_LIMITS, now=now, lease_ms=lease_ms
    )


async def rows(dsn: str, query: str, *arguments: object) -> Sequence[asyncpg.Record]:
    """Rows of a query, over a connection that is not the store's."""
    connection = await asyncpg.connect(dsn)
    try:
        return await connection.fetch(query, *arguments)
    finally:
        await connection.close()
