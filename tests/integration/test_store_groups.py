"""Limits of a wallet of several accounts, on a real database: they hold over all of them, whoever races."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

from tests.fakes.books import FUNDS, LEASE_MS, OWNER, order_at
from tests.fakes.trade import (
    COIN,
    DRAFT,
    NO_LIMITS,
    NOW,
    TKN,
    WALLET,
    WORST_FEE,
    WRAPPED,
    fill,
    new_order,
    quote_of,
)
from trader.adapters.postgres.order_store import PostgresOrderStore, open_order_store
from trader.domain.ids import WalletId
from trader.domain.orders import OrderState
from trader.domain.time import UnixMs
from trader.ports.order_store import Claim, NewOrder, PortfolioLimits, ReserveRefusal

OTHER = WalletId(WALLET.replace("11", "22"))
ALONE = WalletId(WALLET.replace("11", "33"))
RICH = {WRAPPED: 10**6, COIN: 10**9 * WORST_FEE, TKN: 0}


@contextlib.asynccontextmanager
async def _books(dsn: str) -> AsyncIterator[PostgresOrderStore]:
    async with open_order_store(dsn) as store:
        for wallet in (WALLET, OTHER, ALONE):
            await store.open_wallet(wallet, RICH, 1, NOW)
        await store.group_wallets("main", [WALLET, OTHER])
        yield store


async def _open(
    store: PostgresOrderStore, order: NewOrder, limits: PortfolioLimits = NO_LIMITS, now: UnixMs = NOW
) -> Claim | ReserveRefusal:
    return await store.open_reserved(
        order, quote_of(order), DRAFT, limits, owner=OWNER, now=now, lease_ms=LEASE_MS
    )


async def test_a_position_limit_holds_over_both_accounts_whoever_races(postgres_dsn: str) -> None:
    limits = PortfolioLimits(max_position={TKN: 5 * 2_000}, cooldown_ms=0)  # a quote buys 2,000
    async with _books(postgres_dsn) as store, open_order_store(postgres_dsn) as rival:
        orders = [new_order(wallet=(WALLET, OTHER)[n % 2]) for n in range(20)]
        answers = await asyncio.gather(
            *(_open((store, rival)[n % 3 == 0], order, limits) for n, order in enumerate(orders))
        )
        alone = await _open(store, new_order(wallet=ALONE), limits)

        assert sum(isinstance(answer, Claim) for answer in answers) == 5
        assert answers.count(ReserveRefusal.POSITION_LIMIT) == 15
        assert isinstance(alone, Claim)
        for wallet in (WALLET, OTHER):
            await store.close_books(wallet)


async def test_what_one_account_holds_counts_for_the_other(postgres_dsn: str) -> None:
    limits = PortfolioLimits(max_position={TKN: 3_000}, cooldown_ms=0)
    async with _books(postgres_dsn) as store:
        mined = await order_at(store, OrderState.MINED)
        await store.settle(mined, fill(received=1_500), NOW)

        assert await _open(store, new_order(wallet=OTHER), limits) is ReserveRefusal.POSITION_LIMIT
        assert isinstance(await _open(store, new_order(wallet=ALONE), limits), Claim)


async def test_a_cool_down_holds_over_both_accounts_but_not_for_the_order_that_follows(
    postgres_dsn: str,
) -> None:
    limits = PortfolioLimits(max_position={}, cooldown_ms=60_000)
    async with _books(postgres_dsn) as store:
        first = await _open(store, new_order(), limits)
        assert isinstance(first, Claim)
        following = new_order(wallet=OTHER, follows=first.order.id, wallet_group="main")
        await store.hand_over(first, "elsewhere", following, NOW)

        assert await _open(store, new_order(wallet=OTHER), limits) is ReserveRefusal.COOLDOWN
        claim = next(
            one for one in await store.claim(OWNER, NOW, LEASE_MS, 9) if one.order.id == following.id
        )
        claim = await store.quoted(claim, quote_of(claim.order), DRAFT, NOW)
        assert isinstance(await store.reserve(claim, limits, NOW), Claim)


async def test_who_takes_over_an_account_shares_its_limits(postgres_dsn: str) -> None:
    limits = PortfolioLimits(max_position={TKN: 2_000}, cooldown_ms=0)
    async with _books(postgres_dsn) as store:
        async with store._database.transaction() as connection:
            await connection.execute(
                "UPDATE wallets SET predecessors = ARRAY[$1::text] WHERE id = $2", WALLET, ALONE
            )
        assert isinstance(await _open(store, new_order(wallet=ALONE), limits), Claim)

        assert await _open(store, new_order(wallet=OTHER), limits) is ReserveRefusal.POSITION_LIMIT
        assert await _open(store, new_order(wallet=ALONE), limits) is ReserveRefusal.POSITION_LIMIT


async def test_a_wallet_that_left_the_group_counts_alone_again(postgres_dsn: str) -> None:
    limits = PortfolioLimits(max_position={TKN: 2_000}, cooldown_ms=0)
    async with _books(postgres_dsn) as store:
        assert isinstance(await _open(store, new_order(), limits), Claim)
        await store.group_wallets("main", [WALLET])

        assert isinstance(await _open(store, new_order(wallet=OTHER), limits), Claim)


async def test_an_order_is_handed_over_once_and_whole(postgres_dsn: str) -> None:
    async with _books(postgres_dsn) as store, open_order_store(postgres_dsn) as rival:
        claim = await order_at(store, OrderState.SIGN_REQUESTED)
        before = await store.close_books(WALLET)
        followers = [new_order(wallet=OTHER, follows=claim.order.id) for _ in range(6)]
        answers = await asyncio.gather(
            *(
                (store, rival)[n % 2].hand_over(claim, "elsewhere", one, NOW)
                for n, one in enumerate(followers)
            ),
            return_exceptions=True,
        )
        found = [order for order in await store.orders(open_only=False, limit=99) if order.follows]

        assert sum(not isinstance(answer, BaseException) for answer in answers) == 1
        assert len(found) == 1
        assert (await store.line_of(found[0].id))[-1].id == claim.order.id
        assert await store.close_books(WALLET) == before == {**FUNDS, **RICH}
