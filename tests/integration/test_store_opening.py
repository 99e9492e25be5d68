"""An order that is opened reserved is answered and booked as one that comes there step by step."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from tests.fakes.books import LEASE_MS, OWNER, rows
from tests.fakes.trade import CHAIN, COIN, DRAFT, NOW, TKN, WORST_FEE, WRAPPED, new_order, quote_of
from tests.testbed.postgres import PostgresServer
from trader.adapters.postgres.order_store import PostgresOrderStore, open_order_store
from trader.domain.ids import Address, AssetId, WalletId, erc20
from trader.domain.quotes import Quote, TransactionDraft
from trader.domain.time import UnixMs
from trader.ports.order_store import Claim, NewOrder, PortfolioLimits, ReserveRefusal

OPENED, STEPPED = WalletId(f"{CHAIN}:0x{'11' * 20}"), WalletId(f"{CHAIN}:0x{'22' * 20}")
NEVER_SEEN = erc20(CHAIN, Address("0x" + "dd" * 20))
FUNDS = {WRAPPED: 3_000, COIN: 3 * WORST_FEE, TKN: 100}


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """A swap that somebody wants, base units; `most` is the largest position of what it buys, None: any."""

    sells: AssetId
    buys: AssetId
    amount: int
    out: int
    most: int | None
    cooldown_ms: int


amounts = st.sampled_from([1, 99, 100, 101, 1_000, 3_000, 3_001])
wishes = st.builds(
    Wish,
    sells=st.sampled_from([WRAPPED, COIN, TKN]),
    buys=st.sampled_from([WRAPPED, COIN, TKN, NEVER_SEEN]),
    amount=amounts,
    out=st.sampled_from([0, 1, 2_000]),
    most=st.none() | st.sampled_from([99, 2_099, 2_100, 5_000, 10**9]),
    cooldown_ms=st.sampled_from([0, 2]),
).filter(lambda wish: wish.sells != wish.buys)
PLAIN = Wish(sells=WRAPPED, buys=TKN, amount=1_000, out=2_000, most=2_100, cooldown_ms=2)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(wanted=st.lists(wishes, min_size=1, max_size=6), halted=st.booleans(), grouped=st.booleans())
@example(wanted=[replace(PLAIN, most=2_099), PLAIN], halted=False, grouped=False)
@example(wanted=[replace(PLAIN, sells=TKN, buys=COIN, amount=100)], halted=False, grouped=False)
def test_opening_reserved_answers_and_books_as_the_single_steps_do(
    postgres: PostgresServer, wanted: Sequence[Wish], *, halted: bool, grouped: bool
) -> None:
    asyncio.run(_compare(postgres, wanted, halted=halted, grouped=grouped))


async def _compare(postgres: PostgresServer, wanted: Sequence[Wish], *, halted: bool, grouped: bool) -> None:
    async with postgres.database() as dsn, open_order_store(dsn, connections=1) as store:
        for wallet in (OPENED, STEPPED):
            await store.open_wallet(wallet, FUNDS, 1, NOW)
            if grouped:
                await store.group_wallets(f"of {wallet}", [wallet])
            if halted:
                await store.halt_wallet(wallet, "drill", NOW)
        for number, wish in enumerate(wanted):
            now = UnixMs(NOW + number)
            assert await _opened(store, wish, now) == await _stepped(store, wish, now), wish
            assert await rows(dsn, _BALANCES, OPENED) == await rows(dsn, _BALANCES, STEPPED), wish
        await store.close_books(OPENED)


async def _opened(store: PostgresOrderStore, wish: Wish, now: UnixMs) -> ReserveRefusal | None:
    order, quote, draft = _asked(wish, OPENED)
    answer = await store.open_reserved(
        order, quote, draft, _limits(wish), owner=OWNER, now=now, lease_ms=LEASE_MS
    )
    assert (await store.get(order.id) is None) == (not isinstance(answer, Claim))
    return None if isinstance(answer, Claim) else answer


async def _stepped(store: PostgresOrderStore, wish: Wish, now: UnixMs) -> ReserveRefusal | None:
    order, quote, draft = _asked(wish, STEPPED)
    await store.create(order)
    claims = await store.claim(OWNER, now, LEASE_MS, 100)
    claim = next(claim for claim in claims if claim.order.id == order.id)
    answer = await store.reserve(await store.quoted(claim, quote, draft, now), _limits(wish), now)
    return None if isinstance(answer, Claim) else answer


def _asked(wish: Wish, wallet: WalletId) -> tuple[NewOrder, Quote, TransactionDraft]:
    order = new_order(wish.amount, wallet=wallet, asset_in=wish.sells, asset_out=wish.buys)
    value_wei = wish.amount if wish.sells == COIN else 0
    return order, quote_of(order, wish.out), replace(DRAFT, value_wei=value_wei)


def _limits(wish: Wish) -> PortfolioLimits:
    most = {} if wish.most is None else {wish.buys: wish.most}
    return PortfolioLimits(max_position=most, cooldown_ms=wish.cooldown_ms)


_BALANCES = "SELECT asset, free, reserved, incoming FROM balances WHERE wallet = $1 ORDER BY asset"
