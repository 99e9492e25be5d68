"""Any history of orders, moved by any owner with any claim it ever had: the books close after every step."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.fakes.books import ROAD, approve, step
from tests.fakes.trade import COIN, NO_LIMITS, NOW, TKN, WRAPPED, fill, new_order
from tests.testbed.postgres import PostgresServer
from trader.adapters.postgres.order_store import PostgresOrderStore, open_order_store
from trader.domain.errors import FundsShortError, LeaseLostError
from trader.domain.ids import WalletId
from trader.domain.orders import IllegalTransitionError, OrderState
from trader.domain.time import UnixMs
from trader.portfolio.postings import holds
from trader.ports.order_store import Claim

ACTIONS = ["create", "claim", "on", "on", "settle", "revert", "drop", "deny", "give_up", "lost", "approve"]
moves = st.lists(
    st.tuples(st.sampled_from(ACTIONS), st.integers(0, 9), st.integers(1, 4_000)), min_size=5, max_size=40
)


@dataclass(slots=True, kw_only=True)
class Past:
    """Every claim that anybody ever had, the lost ones too, and how late it is."""

    wallet: WalletId
    claims: list[Claim] = field(default_factory=list)
    now: UnixMs = NOW


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(moves=moves, wallet=st.integers(1, 2**160 - 1))
def test_the_books_close_after_any_history(
    postgres: PostgresServer, moves: Sequence[tuple[str, int, int]], wallet: int
) -> None:
    asyncio.run(_play(postgres, WalletId(f"eip155:31337:0x{wallet:040x}"), moves))


async def _play(postgres: PostgresServer, wallet: WalletId, moves: Sequence[tuple[str, int, int]]) -> None:
    async with _store(postgres) as store:
        await store.open_wallet(wallet, {WRAPPED: 6_000, COIN: 5 * 10**7, TKN: 100}, 1, NOW)
        past = Past(wallet=wallet)
        for action, which, amount in moves:
            with contextlib.suppress(LeaseLostError, IllegalTransitionError, FundsShortError):
                await _act(store, past, action, which, amount)
            await _check(store, wallet)


async def _act(store: PostgresOrderStore, past: Past, action: str, which: int, amount: int) -> None:
    if action == "create":
        await store.create(new_order(amount, wallet=past.wallet))
    elif action == "claim" or not past.claims:
        past.now = UnixMs(past.now + 400)  # leases last 1,000: some are taken over, some are still held
        past.claims.extend(await store.claim(f"owner-{which % 2}", past.now, 1_000, 2))
    else:
        place = which % len(past.claims)
        moved = await _move(store, past.claims[place], action, amount)
        if moved is not None and which % 3:  # else the used claim stays, to be tried again
            past.claims[place] = moved


async def _move(store: PostgresOrderStore, claim: Claim, action: str, amount: int) -> Claim | None:
    match action:
        case "on" if claim.order.state is OrderState.QUOTED:
            answer = await store.reserve(claim, NO_LIMITS, NOW)
            return answer if isinstance(answer, Claim) else None
        case "on" if claim.order.state in ROAD[:-1]:
            return await step(store, claim, ROAD[ROAD.index(claim.order.state) + 1])
        case "settle" | "revert":
            done = fill(
                spent=min(amount, claim.order.amount_in), received=amount, reverted=action == "revert"
            )
            await store.settle(claim, done, NOW)
        case "drop":
            await store.drop(claim, "replaced", amount, NOW)
        case "deny":
            await store.deny(claim, "no", NOW)
        case "give_up":
            await store.give_up(claim, "enough", NOW)
        case "lost":
            return await store.outcome_lost(claim, "silence", NOW)
        case "approve":
            await approve(store, claim, lease_ms=0)
        case _:
            pass  # "on" from a state where only a receipt or a proof leads on
    return None


async def _check(store: PostgresOrderStore, wallet: WalletId) -> None:
    """Beside `close_books`: what is reserved and incoming, added up from the port's own answers."""
    await store.close_books(wallet)
    orders = [order for order in await store.orders(open_only=True, limit=1_000) if order.wallet == wallet]
    for balance in await store.balances(wallet):
        assert balance.free >= 0
        assert balance.reserved == sum(holds(order).get(balance.asset, 0) for order in orders)


@contextlib.asynccontextmanager
async def _store(postgres: PostgresServer) -> AsyncIterator[PostgresOrderStore]:
    async with postgres.database() as dsn, open_order_store(dsn, connections=2) as store:
        yield store
