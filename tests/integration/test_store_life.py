from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
import pytest_asyncio

from tests.fakes.books import FUNDS, LEASE_MS, OWNER, ROAD, approve, open_books, order_at, rows, step
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
    new_approval,
    new_order,
    quote_of,
)
from trader.adapters.postgres.order_store import PostgresOrderStore
from trader.domain.assets import Asset
from trader.domain.errors import FundsShortError, LeaseLostError
from trader.domain.ids import IdempotencyKey, OrderId, WalletId
from trader.domain.orders import IllegalTransitionError, OrderState
from trader.domain.time import UnixMs
from trader.portfolio.pnl import Position
from trader.ports.order_store import ApprovalState, Balance, Claim, ReserveRefusal


@pytest_asyncio.fixture
async def store(postgres_dsn: str) -> AsyncIterator[PostgresOrderStore]:
    async with open_books(postgres_dsn) as opened:
        yield opened
        await opened.close_books(WALLET)  # whatever a test did, the books close


async def test_an_order_comes_back_from_its_row_exactly_as_it_was_written(store: PostgresOrderStore) -> None:
    claim = await order_at(store, OrderState.INTENT)
    assert await store.get(claim.order.id) == claim.order
    for state in ROAD[1:]:
        claim = await step(store, claim, state)
        assert await store.get(claim.order.id) == claim.order

    closed = await store.settle(claim, fill(), NOW)

    assert await store.get(closed.id) == closed
    assert closed.state is OrderState.SETTLED


async def test_a_settled_swap_books_what_the_receipt_says(store: PostgresOrderStore) -> None:
    claim = await order_at(store, OrderState.MINED)
    assert _funds(await store.balances(WALLET)) == {
        WRAPPED: (9_000, 1_000),
        COIN: (FUNDS[COIN] - WORST_FEE, WORST_FEE),
        TKN: (0, 0),
    }

    await store.settle(claim, fill(spent=900, received=1_999, fee_paid_wei=77), NOW)

    assert await store.close_books(WALLET) == {WRAPPED: 9_100, COIN: FUNDS[COIN] - 77, TKN: 1_999}
    assert all(balance.reserved == 0 for balance in await store.balances(WALLET))
    assert await store.positions(WALLET, WRAPPED) == (Position(asset=TKN, held=1_999, cost=900, realised=0),)


async def test_a_reverted_swap_costs_its_fee(store: PostgresOrderStore) -> None:
    claim = await order_at(store, OrderState.MINED)

    closed = await store.settle(claim, fill(fee_paid_wei=77, reverted=True), NOW)

    assert closed.state is OrderState.REVERTED
    assert await store.close_books(WALLET) == {**FUNDS, COIN: FUNDS[COIN] - 77}


async def test_a_dropped_swap_costs_what_our_cancellation_cost(store: PostgresOrderStore) -> None:
    claim = await order_at(store, OrderState.BROADCAST)
    claim = await store.outcome_lost(claim, "node is gone", NOW)

    closed = await store.drop(claim, "cancelled", 21_000, NOW)

    assert closed.state is OrderState.DROPPED
    assert await store.close_books(WALLET) == {**FUNDS, COIN: FUNDS[COIN] - 21_000}


@pytest.mark.parametrize("state", [OrderState.INTENT, OrderState.QUOTED, OrderState.RESERVED])
async def test_giving_up_returns_everything(store: PostgresOrderStore, state: OrderState) -> None:
    closed = await store.give_up(await order_at(store, state), "too old", NOW)

    assert closed.state is OrderState.EXPIRED
    assert _funds(await store.balances(WALLET)) == {asset: (amount, 0) for asset, amount in FUNDS.items()}


async def test_a_denial_returns_everything_and_keeps_the_reason(store: PostgresOrderStore) -> None:
    closed = await store.deny(await order_at(store, OrderState.SIGN_REQUESTED), "SLIPPAGE_TOO_HIGH", NOW)

    assert (closed.state, closed.reason) == (OrderState.REFUSED, "SLIPPAGE_TOO_HIGH")
    assert await store.close_books(WALLET) == FUNDS


async def test_a_mined_swap_whose_nonce_went_to_another_costs_nothing_of_its_fill(
    store: PostgresOrderStore,
) -> None:
    closed = await store.drop(await order_at(store, OrderState.MINED), "another hash is final", 0, NOW)

    assert (closed.amount_spent, closed.fee_paid_wei) == (None, 0)
    assert await store.close_books(WALLET) == FUNDS


async def test_a_reorganised_receipt_is_forgotten_and_seen_again(store: PostgresOrderStore) -> None:
    claim = await store.reorganised(await order_at(store, OrderState.MINED), NOW)
    assert (claim.order.state, claim.order.block_hash, claim.order.fee_paid_wei) == (
        OrderState.BROADCAST,
        None,
        None,
    )

    claim = await store.mined(claim, fill(), NOW)
    claim = await store.mined(claim, replace(fill(), block_number=10), NOW)

    assert (await store.settle(claim, fill(), NOW)).state is OrderState.SETTLED


async def test_a_fee_above_the_hold_is_paid_from_free_funds(store: PostgresOrderStore) -> None:
    claim = await order_at(store, OrderState.MINED)

    await store.settle(claim, fill(fee_paid_wei=WORST_FEE + 5), NOW)

    assert (await store.close_books(WALLET))[COIN] == FUNDS[COIN] - WORST_FEE - 5


async def test_a_chain_that_took_more_than_the_books_hold_is_an_error_and_writes_nothing(
    store: PostgresOrderStore,
) -> None:
    claim = await order_at(store, OrderState.MINED)

    with pytest.raises(FundsShortError, match=str(claim.order.id)):
        await store.settle(claim, fill(fee_paid_wei=FUNDS[COIN] + 1), NOW)

    assert await store.get(claim.order.id) == claim.order


async def test_the_hold_follows_the_draft_that_is_signed(store: PostgresOrderStore) -> None:
    claim = await order_at(store, OrderState.RESERVED)
    dearer = replace(DRAFT, max_fee_per_gas_wei=DRAFT.max_fee_per_gas_wei * 2)

    await store.ask_signature(claim, IdempotencyKey("k"), dearer, NOW)

    assert _funds(await store.balances(WALLET))[COIN][1] == 2 * WORST_FEE


async def test_creating_an_order_twice_is_one_order(store: PostgresOrderStore) -> None:
    new = new_order()
    first = await store.create(new)

    assert await store.create(new) == first
    assert len(await store.orders(open_only=False, limit=10)) == 1


async def test_a_step_that_the_table_does_not_have_is_a_mistake_and_writes_nothing(
    store: PostgresOrderStore,
) -> None:
    claim = await order_at(store, OrderState.QUOTED)

    with pytest.raises(IllegalTransitionError):
        await store.signed(claim, "signer-1", 0, "0x", NOW)

    assert await store.get(claim.order.id) == claim.order


async def test_every_step_leaves_a_line_that_says_what_changed(
    store: PostgresOrderStore, postgres_dsn: str
) -> None:
    claim = await order_at(store, OrderState.SIGNED)

    lines = await rows(
        postgres_dsn, "SELECT * FROM order_events WHERE order_id = $1 ORDER BY seq", claim.order.id
    )

    assert [line["to_state"] for line in lines] == list(ROAD[:5])
    assert [line["from_state"] for line in lines] == [None, *ROAD[:4]]
    assert [line["seq"] for line in lines] == [1, 2, 3, 4, 5]
    assert '"nonce"' in lines[4]["detail"]
    assert {line["owner"] for line in lines[1:]} == {OWNER}


async def test_opening_reserved_is_the_same_life_in_one_transaction(
    store: PostgresOrderStore, postgres_dsn: str
) -> None:
    new = new_order()
    claim = await store.open_reserved(
        new, quote_of(new), DRAFT, NO_LIMITS, owner=OWNER, now=NOW, lease_ms=LEASE_MS
    )
    assert isinstance(claim, Claim)
    assert await store.get(new.id) == claim.order
    assert await store.claim("trader-b", NOW, LEASE_MS, 10) == ()

    claim = await step(store, claim, OrderState.SIGN_REQUESTED)

    lines = await rows(
        postgres_dsn, "SELECT to_state FROM order_events WHERE order_id = $1 ORDER BY seq", new.id
    )
    assert [line["to_state"] for line in lines] == list(ROAD[:4])
    with pytest.raises(LeaseLostError):
        await store.open_reserved(
            new, quote_of(new), DRAFT, NO_LIMITS, owner=OWNER, now=NOW, lease_ms=LEASE_MS
        )


async def test_opening_reserved_posts_what_the_single_steps_post(
    store: PostgresOrderStore, postgres_dsn: str
) -> None:
    stepped = await order_at(store, OrderState.RESERVED)
    opened = new_order()

    await store.open_reserved(
        opened, quote_of(opened), DRAFT, NO_LIMITS, owner=OWNER, now=NOW, lease_ms=LEASE_MS
    )

    query = "SELECT account, asset, amount FROM ledger_entries WHERE order_id = $1 ORDER BY line"
    posted = await rows(postgres_dsn, query, opened.id)
    assert posted == await rows(postgres_dsn, query, stepped.order.id)
    assert len(posted) == 4
    await store.close_books(WALLET)


async def test_a_refused_opening_writes_nothing(store: PostgresOrderStore) -> None:
    new = new_order(FUNDS[WRAPPED] + 1)

    refusal = await store.open_reserved(
        new, quote_of(new), DRAFT, NO_LIMITS, owner=OWNER, now=NOW, lease_ms=LEASE_MS
    )

    assert refusal is ReserveRefusal.INSUFFICIENT_FUNDS
    assert await store.get(new.id) is None


async def test_a_uint256_goes_in_and_out_to_the_last_digit(postgres_dsn: str) -> None:
    most = 2**256 - 1
    async with open_books(postgres_dsn, {WRAPPED: most, COIN: most}) as store:
        claim = await order_at(store, OrderState.RESERVED, new_order(most))

        balances = _funds(await store.balances(WALLET))
        order = await store.get(claim.order.id)

        assert balances[WRAPPED] == (0, most)
        assert order is not None
        assert order.amount_in == most
        assert order.quote == quote_of(claim.order)
        await store.settle(await _to_mined(store, claim), fill(spent=most, received=most), NOW)
        assert (await store.close_books(WALLET))[TKN] == most


async def test_a_wallet_is_opened_once(store: PostgresOrderStore) -> None:
    assert not await store.open_wallet(WALLET, {WRAPPED: 1}, 2, NOW)
    assert await store.close_books(WALLET) == FUNDS


async def test_a_halted_wallet_reserves_nothing_until_it_is_released(store: PostgresOrderStore) -> None:
    claim = await order_at(store, OrderState.QUOTED)
    await store.halt_wallet(WALLET, "drift of 1 wei", NOW)
    assert await store.halted() == {WALLET: "drift of 1 wei"}

    assert await store.reserve(claim, NO_LIMITS, NOW) is ReserveRefusal.WALLET_HALTED

    await store.release_wallet(WALLET, NOW)
    assert isinstance(await store.reserve(claim, NO_LIMITS, NOW), Claim)


async def test_a_wallet_without_books_is_named(store: PostgresOrderStore) -> None:
    stranger = WalletId("eip155:1:0x" + "22" * 20)

    with pytest.raises(ValueError, match=stranger):
        await store.halt_wallet(stranger, "why", NOW)
    with pytest.raises(ValueError, match=stranger):
        await store.release_wallet(stranger, NOW)
    claim = await order_at(store, OrderState.QUOTED, new_order(wallet=stranger))
    assert await store.reserve(claim, NO_LIMITS, NOW) is ReserveRefusal.INSUFFICIENT_FUNDS


async def test_only_one_swap_at_a_time_holds_an_allowance(store: PostgresOrderStore) -> None:
    first, second = await order_at(store, OrderState.RESERVED), await order_at(store, OrderState.RESERVED)
    opened = await approve(store, first)
    assert isinstance(opened, Claim)
    asked = await store.approval_of(first.order.id)
    assert asked is not None
    assert (asked.state, asked.amount, asked.order) == (ApprovalState.REQUESTED, 1_000, opened.order.id)

    assert await approve(store, second) is None

    await store.approval_usable(first, NOW)
    await store.settle(await _to_mined(store, first), fill(), NOW)
    used = await store.approval_of(first.order.id)
    assert used is not None
    assert used.state is ApprovalState.CONSUMED
    assert isinstance(await approve(store, second), Claim)
    assert await store.approval_of(OrderId(new_order().id)) is None


async def test_an_approval_is_opened_reserved_and_held_in_one_transaction(
    store: PostgresOrderStore, postgres_dsn: str
) -> None:
    swap = await order_at(store, OrderState.INTENT)

    opened = await approve(store, swap)

    assert isinstance(opened, Claim)
    assert opened.order.state is OrderState.RESERVED
    assert await store.get(opened.order.id) == opened.order
    assert await store.claim("trader-b", NOW, LEASE_MS, 10) == ()
    assert _funds(await store.balances(WALLET))[COIN] == (FUNDS[COIN] - WORST_FEE, WORST_FEE)
    lines = await rows(postgres_dsn, _HISTORY, opened.order.id)
    assert [line["to_state"] for line in lines] == list(ROAD[:3])


async def test_an_approval_without_native_coin_for_its_fee_writes_nothing(postgres_dsn: str) -> None:
    async with open_books(postgres_dsn, {WRAPPED: 10_000, COIN: WORST_FEE - 1}) as store:
        swap = await order_at(store, OrderState.INTENT)

        assert await approve(store, swap) is ReserveRefusal.INSUFFICIENT_NATIVE_FOR_FEE
        assert await store.approval_of(swap.order.id) is None
        assert await store.states() == {OrderState.INTENT: 1}


async def test_a_failed_approval_order_frees_the_allowance_for_another_try(store: PostgresOrderStore) -> None:
    swap = await order_at(store, OrderState.RESERVED)
    first = await approve(store, swap)
    assert isinstance(first, Claim)

    await store.give_up(first, "too dear", NOW)

    abandoned = await store.approval_of(swap.order.id)
    assert abandoned is not None
    assert abandoned.state is ApprovalState.ABANDONED
    again = await approve(store, swap)
    assert isinstance(again, Claim)
    assert again.order.id != first.order.id


async def test_a_settled_approval_order_costs_its_fee_and_stays_requested(store: PostgresOrderStore) -> None:
    swap = await order_at(store, OrderState.RESERVED)
    claim = await approve(store, swap)
    assert isinstance(claim, Claim)

    await store.settle(await _to_mined(store, claim), fill(spent=0, received=0, fee_paid_wei=50), NOW)

    approval = await store.approval_of(swap.order.id)
    assert approval is not None
    assert approval.state is ApprovalState.REQUESTED
    assert await store.close_books(WALLET) == {**FUNDS, COIN: FUNDS[COIN] - 50}


async def test_an_allowance_is_asked_for_by_an_approval_order_of_that_swap(store: PostgresOrderStore) -> None:
    claim = await order_at(store, OrderState.QUOTED)

    for wrong in (new_order(), new_approval(new_order())):
        with pytest.raises(ValueError, match="kind approval with spender and parent"):
            await store.open_approval(
                claim, wrong, quote_of(wrong), DRAFT, NO_LIMITS, now=NOW, lease_ms=LEASE_MS
            )


async def test_an_order_that_is_woken_is_due_at_once_but_never_later(store: PostgresOrderStore) -> None:
    claim = await order_at(store, OrderState.INTENT)
    await store.let_go(claim, UnixMs(NOW + 60_000))
    assert await store.claim(OWNER, NOW, LEASE_MS, 10) == ()

    await store.wake(claim.order.id, NOW)
    await store.wake(claim.order.id, UnixMs(NOW + 60_000))

    (again,) = await store.claim(OWNER, NOW, LEASE_MS, 10)
    assert again.order.id == claim.order.id


async def test_an_order_opened_without_a_lease_belongs_to_whoever_claims_first(
    store: PostgresOrderStore,
) -> None:
    new = new_order()
    opened = await store.open_reserved(new, quote_of(new), DRAFT, NO_LIMITS, owner=OWNER, now=NOW, lease_ms=0)

    (claim,) = await store.claim("trader-b", NOW, LEASE_MS, 10)

    assert isinstance(opened, Claim)
    assert claim.order == replace(opened.order, fence=2)
    with pytest.raises(LeaseLostError):
        await store.give_up(opened, "not ours", NOW)


async def test_status_counts_orders_and_lists_the_newest_first(
    store: PostgresOrderStore,
) -> None:
    old = await store.create(new_order())
    young = await store.create(new_order(created_at=UnixMs(NOW + 1)))
    closed = await store.give_up((await store.claim(OWNER, NOW, LEASE_MS, 1))[0], "no", NOW)
    asset = Asset(id=TKN, symbol="TKN", decimals=18)
    await store.describe_assets([asset])

    assert [order.id for order in await store.orders(open_only=False, limit=10)] == [young.id, old.id]
    assert [order.id for order in await store.orders(open_only=True, limit=10)] == [young.id]
    assert await store.states() == {OrderState.INTENT: 1, OrderState.EXPIRED: 1}
    assert closed.id == old.id
    assert await store.assets() == (asset,)


_HISTORY = "SELECT * FROM order_events WHERE order_id = $1 ORDER BY seq"


def _funds(balances: object) -> dict[str, tuple[int, int]]:
    assert isinstance(balances, tuple)
    funds = {}
    for balance in balances:
        assert isinstance(balance, Balance)
        funds[str(balance.asset)] = (balance.free, balance.reserved)
    return funds


async def _to_mined(store: PostgresOrderStore, claim: Claim) -> Claim:
    for state in ROAD[ROAD.index(claim.order.state) + 1 :]:
        claim = await step(store, claim, state)
    return claim
