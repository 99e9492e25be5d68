from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.fakes.books import LEASE_MS, OWNER, approve, open_books, order_at
from tests.fakes.trade import DRAFT, NO_LIMITS, NOW, WALLET, new_order, quote_of
from trader.adapters.postgres.order_store import PostgresOrderStore
from trader.domain.errors import LeaseLostError
from trader.domain.ids import IdempotencyKey
from trader.domain.orders import OrderState
from trader.domain.time import UnixMs

EXPIRED = UnixMs(NOW + LEASE_MS)


@pytest_asyncio.fixture
async def store(postgres_dsn: str) -> AsyncIterator[PostgresOrderStore]:
    async with open_books(postgres_dsn) as opened:
        yield opened


async def test_a_held_order_is_not_claimed_again_before_its_lease_ends(store: PostgresOrderStore) -> None:
    await order_at(store, OrderState.INTENT)

    assert await store.claim("trader-b", UnixMs(EXPIRED - 1), LEASE_MS, 10) == ()
    (taken,) = await store.claim("trader-b", EXPIRED, LEASE_MS, 10)
    assert (taken.owner, taken.order.fence) == ("trader-b", 2)


async def test_who_lost_the_lease_cannot_write_anything(store: PostgresOrderStore) -> None:
    stale = await order_at(store, OrderState.QUOTED)
    (taken,) = await store.claim("trader-b", EXPIRED, LEASE_MS, 10)

    for attempt in (
        store.reserve(stale, NO_LIMITS, NOW),
        store.quoted(stale, quote_of(stale.order), DRAFT, NOW),
        store.give_up(stale, "late", NOW),
        store.renew(stale, NOW, LEASE_MS),
        store.let_go(stale, NOW),
        approve(store, stale),
        store.approval_usable(stale, NOW),
    ):
        with pytest.raises(LeaseLostError, match=str(stale.order.id)):
            await attempt

    assert await store.get(stale.order.id) == taken.order
    assert len(await store.orders(open_only=False, limit=10)) == 1
    assert all(balance.reserved == 0 for balance in await store.balances(WALLET))


async def test_a_claim_that_was_already_used_cannot_write_again(store: PostgresOrderStore) -> None:
    used = await order_at(store, OrderState.RESERVED)
    moved = await store.ask_signature(used, IdempotencyKey("k"), DRAFT, NOW)

    with pytest.raises(LeaseLostError):
        await store.give_up(used, "double", NOW)

    assert await store.get(used.order.id) == moved.order


async def test_a_renewed_lease_lasts_longer(store: PostgresOrderStore) -> None:
    claim = await store.renew(await order_at(store, OrderState.INTENT), EXPIRED, LEASE_MS)

    assert claim.lease_until == EXPIRED + LEASE_MS
    assert await store.claim("trader-b", EXPIRED, LEASE_MS, 10) == ()


async def test_an_order_that_was_let_go_waits_until_it_is_due(store: PostgresOrderStore) -> None:
    claim = await order_at(store, OrderState.INTENT)
    await store.let_go(claim, UnixMs(NOW + 500))

    assert await store.claim(OWNER, UnixMs(NOW + 499), LEASE_MS, 10) == ()
    assert len(await store.claim(OWNER, UnixMs(NOW + 500), LEASE_MS, 10)) == 1


async def test_the_longest_due_is_claimed_first_and_closed_orders_never(store: PostgresOrderStore) -> None:
    closed = await store.give_up(await order_at(store, OrderState.INTENT), "no", NOW)
    orders = [await store.create(new_order(created_at=UnixMs(NOW - age))) for age in (10, 30, 20)]

    claims = await store.claim(OWNER, NOW, LEASE_MS, 2)

    assert [claim.order.id for claim in claims] == [orders[1].id, orders[2].id]
    assert closed.id not in [claim.order.id for claim in await store.claim(OWNER, NOW, LEASE_MS, 10)]
