"""Opening a reserved order beside the bare statement pair: 16 tasks, 16 wallets, one database, in turns."""

import itertools
import statistics
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass

from tests.bench.load import Load, closed_loop
from tests.fakes.trade import CHAIN, COIN, DRAFT, NOW, TKN, WRAPPED, new_order, quote_of
from trader.adapters.postgres.migrate import migrate
from trader.adapters.postgres.order_store import PostgresOrderStore
from trader.adapters.postgres.pool import Database, open_database
from trader.adapters.postgres.rows import plain
from trader.domain.ids import WalletId
from trader.domain.orders import OrderState
from trader.domain.time import UnixMs
from trader.ports.order_store import Claim, NewOrder, PortfolioLimits, ReserveRefusal

TASKS = 16
ROUNDS = 31
REQUESTS = 1_000
FUNDS = 10**30


@dataclass(frozen=True, slots=True, kw_only=True)
class BookingFigures:
    """Each side's round in the middle, by its rate, and the median of the rounds' ratios.

    A round compares neighbours in time, so that a machine that is busy now and then does not decide.
    """

    bare: Load
    reserved: Load
    reserve_ratio_16: float


async def measure_booking(dsn: str) -> BookingFigures:
    """Both sides over the same pool of 16 connections, each task with orders of all 16 wallets in turn.

    Bare: BEGIN; one guarded UPDATE that moves the amount of one balance from free to reserved; one INSERT of
    the order's row with its quote and draft; COMMIT. The least that anybody would write by hand.

    Ours: `open_reserved`. The same row, and besides: the wallet is locked and must not be halted, cool-down
    and position limit are asked for, the amount and the worst fee are guarded and moved, pending buys are
    counted, four ledger entries are posted and must balance, three events are written.
    """
    async with open_database(dsn, connections=TASKS) as database:
        await migrate(database)
        store = PostgresOrderStore(database)
        wallets = [WalletId(f"{CHAIN}:0x{number:040x}") for number in range(1, TASKS + 1)]
        for wallet in wallets:
            await store.open_wallet(wallet, {WRAPPED: FUNDS, COIN: FUNDS, TKN: 0}, 1, NOW)
        sides = _bare(database, _orders(wallets)), _reserved(store, _orders(wallets))
        for ask in sides:
            await closed_loop(ask, in_flight=TASKS, requests=REQUESTS)
        rounds = [
            [await closed_loop(ask, in_flight=TASKS, requests=REQUESTS) for ask in sides]
            for _ in range(ROUNDS)
        ]
    bare, reserved = (_median(loads) for loads in zip(*rounds, strict=True))
    ratios = [ours.per_s / theirs.per_s for theirs, ours in rounds]
    return BookingFigures(bare=bare, reserved=reserved, reserve_ratio_16=statistics.median(ratios))


def _reserved(store: PostgresOrderStore, orders: Iterator[NewOrder]) -> Callable[[], Awaitable[None]]:
    instants = map(UnixMs, itertools.count(NOW))

    async def open_at(order: NewOrder, now: UnixMs) -> Claim | ReserveRefusal:
        return await store.open_reserved(
            order, quote_of(order), DRAFT, _LIMITS, owner="bench", now=now, lease_ms=10_000
        )

    async def ask() -> None:
        order = next(orders)
        opened = await open_at(order, next(instants))
        while opened is ReserveRefusal.COOLDOWN:  # the wallet's next order overtook this one
            opened = await open_at(order, next(instants))
        if not isinstance(opened, Claim):
            raise AssertionError(f"the wallets of the bench have funds: {opened}")  # noqa: TRY004 - not a type

    return ask


def _bare(database: Database, orders: Iterator[NewOrder]) -> Callable[[], Awaitable[None]]:
    async def ask() -> None:
        order = next(orders)
        row = [getattr(order, name) for name in NewOrder.__dataclass_fields__]
        row += [OrderState.RESERVED, plain(quote_of(order)), plain(DRAFT), NOW, "bench", NOW + 10_000]
        async with database.transaction() as connection:
            if await connection.fetchval(_UPDATE, order.wallet, order.asset_in, order.amount_in) is None:
                raise AssertionError("the wallets of the bench have funds")
            await connection.execute(_INSERT, *row)

    return ask


def _orders(wallets: Sequence[WalletId]) -> Iterator[NewOrder]:
    return (new_order(wallet=wallet) for wallet in itertools.cycle(wallets))


def _median(loads: Sequence[Load]) -> Load:
    return sorted(loads, key=lambda load: load.per_s)[len(loads) // 2]


_LIMITS = PortfolioLimits(max_position={TKN: FUNDS}, cooldown_ms=1)
_UPDATE = """
UPDATE balances SET free = free - $3, reserved = reserved + $3
 WHERE wallet = $1 AND asset = $2 AND free >= $3 RETURNING free
"""
_INTENT = ", ".join(NewOrder.__dataclass_fields__)
_VALUES = ", ".join(f"${number}" for number in range(1, len(NewOrder.__dataclass_fields__) + 7))
_INSERT = f"""
INSERT INTO orders ({_INTENT}, state, quote, draft, reserved_at,
                    lease_owner, lease_until, due_at, fence, last_seq)
VALUES ({_VALUES}, $11, 1, 1)
"""  # noqa: S608 - column names of our own
