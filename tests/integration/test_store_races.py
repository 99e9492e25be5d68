import asyncio

from tests.fakes.books import LEASE_MS, OWNER, open_books, order_at
from tests.fakes.trade import (
    COIN,
    DRAFT,
    NO_LIMITS,
    NOW,
    TKN,
    WALLET,
    WORST_FEE,
    WRAPPED,
    new_order,
    quote_of,
)
from trader.adapters.postgres.order_store import PostgresOrderStore, open_order_store
from trader.domain.errors import LeaseLostError
from trader.domain.orders import OrderState
from trader.domain.time import UnixMs
from trader.ports.order_store import Claim, NewOrder, PortfolioLimits, ReserveRefusal

TEN = {WRAPPED: 10_000, COIN: 10 * WORST_FEE}


async def test_of_fifty_racing_reservations_exactly_those_with_funds_succeed(postgres_dsn: str) -> None:
    async with open_books(postgres_dsn, TEN) as store, open_order_store(postgres_dsn) as rival:
        claims = await _quoted(store, 50)

        answers = await asyncio.gather(
            *((store, rival)[n % 2].reserve(claim, NO_LIMITS, NOW) for n, claim in enumerate(claims))
        )

        assert sum(isinstance(answer, Claim) for answer in answers) == 10
        assert answers.count(ReserveRefusal.INSUFFICIENT_FUNDS) == 40
        assert all(balance.free == 0 for balance in await store.balances(WALLET) if balance.asset != TKN)
        await store.close_books(WALLET)


async def test_of_fifty_racing_openings_exactly_those_with_funds_are_opened(postgres_dsn: str) -> None:
    async with open_books(postgres_dsn, TEN) as store:
        answers = await asyncio.gather(*(_open(store, new_order()) for _ in range(50)))

        assert sum(isinstance(answer, Claim) for answer in answers) == 10
        assert await store.states() == {OrderState.RESERVED: 10}
        await store.close_books(WALLET)


async def test_of_racing_openings_of_one_id_one_is_opened(postgres_dsn: str) -> None:
    async with open_books(postgres_dsn, TEN) as store, open_order_store(postgres_dsn) as rival:
        order = new_order()

        answers = await asyncio.gather(
            *(_open((store, rival)[n % 2], order) for n in range(8)), return_exceptions=True
        )

        assert sum(isinstance(answer, Claim) for answer in answers) == 1
        assert sum(isinstance(answer, LeaseLostError) for answer in answers) == 7
        await store.close_books(WALLET)


async def test_the_native_coin_for_the_fee_is_a_refusal_of_its_own(postgres_dsn: str) -> None:
    async with open_books(postgres_dsn, {WRAPPED: 10_000, COIN: WORST_FEE - 1}) as store:
        assert await _open(store, new_order()) is ReserveRefusal.INSUFFICIENT_NATIVE_FOR_FEE


async def test_held_pending_and_proposed_stay_within_the_position_limit(
    postgres_dsn: str,
) -> None:
    limits = PortfolioLimits(max_position={TKN: 500 + 3 * 2_000}, cooldown_ms=0)  # a quote buys 2,000
    async with open_books(postgres_dsn, {**TEN, TKN: 500}) as store:
        answers = await asyncio.gather(*(_open(store, new_order(100), limits) for _ in range(12)))

        assert sum(isinstance(answer, Claim) for answer in answers) == 3
        assert answers.count(ReserveRefusal.POSITION_LIMIT) == 9
        held = next(answer for answer in answers if isinstance(answer, Claim))
        await store.give_up(held, "makes room", NOW)
        assert isinstance(await _open(store, new_order(100), limits), Claim)


async def test_a_first_buy_above_the_position_limit_is_refused(postgres_dsn: str) -> None:
    limits = PortfolioLimits(max_position={TKN: 1_999}, cooldown_ms=0)
    async with open_books(postgres_dsn, TEN) as store:
        assert await _open(store, new_order(100), limits) is ReserveRefusal.POSITION_LIMIT


async def test_the_same_trade_waits_for_its_cool_down_and_the_way_back_does_not(postgres_dsn: str) -> None:
    limits = PortfolioLimits(max_position={}, cooldown_ms=30_000)
    async with open_books(postgres_dsn, {**TEN, TKN: 1_000}) as store:
        answers = await asyncio.gather(*(_open(store, new_order(100), limits) for _ in range(5)))
        assert sum(isinstance(answer, Claim) for answer in answers) == 1
        assert answers.count(ReserveRefusal.COOLDOWN) == 4

        back = await _open(store, new_order(100, asset_in=TKN, asset_out=WRAPPED), limits)

        assert isinstance(back, Claim)
        early, late = UnixMs(NOW + 29_999), UnixMs(NOW + 30_000)
        assert await _open(store, new_order(100), limits, early) is ReserveRefusal.COOLDOWN
        assert isinstance(await _open(store, new_order(100), limits, late), Claim)


async def test_an_order_reserves_with_its_own_claim_only(postgres_dsn: str) -> None:
    async with open_books(postgres_dsn) as store:
        claim = await order_at(store, OrderState.QUOTED)

        answers = await asyncio.gather(
            *(store.reserve(claim, NO_LIMITS, NOW) for _ in range(5)), return_exceptions=True
        )

        assert sum(isinstance(answer, Claim) for answer in answers) == 1
        await store.close_books(WALLET)


async def _quoted(store: PostgresOrderStore, count: int) -> list[Claim]:
    for _ in range(count):
        await store.create(new_order())
    claims = await store.claim(OWNER, NOW, LEASE_MS, count)
    return [await store.quoted(claim, quote_of(claim.order), DRAFT, NOW) for claim in claims]


async def _open(
    store: PostgresOrderStore, new: NewOrder, limits: PortfolioLimits = NO_LIMITS, now: UnixMs = NOW
) -> Claim | ReserveRefusal:
    return await store.open_reserved(
        new, quote_of(new), DRAFT, limits, owner=OWNER, now=now, lease_ms=LEASE_MS
    )
