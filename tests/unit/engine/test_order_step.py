"""Each step alone: what it does, in which order, and what it refuses."""

import asyncio
from dataclasses import replace

import pytest

from tests.fakes.fake_signer import Script
from tests.fakes.trader_world import FakeVenue
from tests.unit.engine.conftest import Scene
from trader.domain.errors import (
    ChainUnavailableError,
    FundsShortError,
    SignerNotReadyError,
    SignerUnavailableError,
)
from trader.domain.ids import Address
from trader.domain.orders import OPEN_STATES, OrderKind, OrderState
from trader.engine.order_step import STEPS
from trader.engine.results import Wait
from trader.engine.worker import Worker
from trader.ports.chain import BroadcastOutcome
from trader.ports.order_store import ApprovalState, Claim, ReserveRefusal

IN_THE_WORLD = [OrderState.BROADCAST, OrderState.UNKNOWN]


def test_every_open_state_has_its_step() -> None:
    assert STEPS.keys() == OPEN_STATES


async def test_a_swap_waits_until_its_exact_allowance_is_seen_on_the_chain(scene: Scene) -> None:
    order = await scene.order()
    first = await scene.step(order)
    approval = scene.store.approvals[order]
    scene.store.rows[approval.order] = replace(scene.store.rows[approval.order], state=OrderState.MINED)
    mined_but_unseen = await scene.state_after(order)
    scene.chain.allowed = 1_000
    seen = await scene.state_after(order)

    assert isinstance(first, Wait)
    assert (approval.amount, approval.state) == (1_000, ApprovalState.REQUESTED)
    assert scene.store.rows[approval.order].kind is OrderKind.APPROVAL
    assert (mined_but_unseen, seen) == (OrderState.INTENT, OrderState.QUOTED)


async def test_an_allowance_left_from_before_does_not_count(scene: Scene) -> None:
    scene.chain.allowed = 10**9
    order = await scene.order()
    await scene.step(order)

    assert await scene.state_after(order) is OrderState.INTENT


@pytest.mark.parametrize(
    "end", [OrderState.REFUSED, OrderState.EXPIRED, OrderState.REVERTED, OrderState.DROPPED]
)
async def test_a_swap_without_its_approval_is_given_up_and_says_why(scene: Scene, end: OrderState) -> None:
    order = await scene.order()
    await scene.step(order)
    approval = scene.store.approvals[order].order
    scene.store.rows[approval] = replace(scene.store.rows[approval], state=end, reason="its reason")
    state = await scene.state_after(order)

    assert state is OrderState.EXPIRED
    assert "its reason" in (scene.store.rows[order].reason or "")


async def test_the_route_stays_with_the_router_that_has_the_allowance(scene: Scene) -> None:
    order = await scene.order()
    await scene.allow(order)
    better = FakeVenue(scene.clock, "uniswap_v3", worse=-100, spender=Address("0x" + "4d" * 20))
    scene.desk = replace(scene.desk, venues={**scene.desk.venues, "uniswap_v3": better})
    await scene.step(order)
    quote = scene.store.rows[order].quote

    assert quote is not None
    assert quote.venue == "uniswap_v2"


@pytest.mark.parametrize(("venue", "expected"), [("best", "uniswap_v3"), ("uniswap_v2", "uniswap_v2")])
async def test_the_venue_that_pays_most_gets_the_trade_unless_one_is_named(
    scene: Scene, venue: str, expected: str
) -> None:
    better = FakeVenue(scene.clock, "uniswap_v3", worse=-1)
    scene.desk = replace(scene.desk, venues={**scene.desk.venues, "uniswap_v3": better})
    order = await scene.order(venue=venue, live=False)
    await scene.step(order)
    quote = scene.store.rows[order].quote

    assert quote is not None
    assert quote.venue == expected


async def test_no_route_gives_the_order_up_with_the_venues_words(scene: Scene) -> None:
    scene.venue.no_route = "no pool"
    order = await scene.order()

    assert await scene.state_after(order) is OrderState.EXPIRED
    assert "no pool" in (scene.store.rows[order].reason or "")


async def test_an_intent_that_is_too_old_is_not_quoted(scene: Scene) -> None:
    order = await scene.order()
    scene.clock.advance_ms(60_000)

    assert await scene.state_after(order) is OrderState.EXPIRED
    assert scene.venue.asked == 0


async def test_a_base_fee_above_the_cap_delays_and_does_not_change_the_state(scene: Scene) -> None:
    order = await scene.order(live=False)
    scene.chain.base_fee_wei = 60_000_000_000
    with pytest.raises(ChainUnavailableError, match="max_fee_per_gas_wei"):
        await scene.step(order)

    assert scene.store.rows[order].state is OrderState.INTENT


async def test_a_stale_quote_is_made_again_before_funds_are_reserved(scene: Scene) -> None:
    order = await scene.order()
    await scene.until(order, OrderState.QUOTED)
    scene.clock.advance_ms(10_000)
    asked = scene.venue.asked
    state = await scene.state_after(order)

    assert (state, scene.venue.asked) == (OrderState.QUOTED, asked + 1)


async def test_a_stale_quote_is_given_up_when_funds_are_reserved(scene: Scene) -> None:
    order = await scene.order()
    await scene.until(order, OrderState.RESERVED)
    scene.clock.advance_ms(10_000)

    assert await scene.state_after(order) is OrderState.EXPIRED
    assert scene.signer.asked == []


@pytest.mark.parametrize("refusal", ReserveRefusal)
async def test_a_reservation_that_is_refused_ends_the_order_with_its_code(
    scene: Scene, refusal: ReserveRefusal
) -> None:
    order = await scene.order()
    await scene.until(order, OrderState.QUOTED)
    scene.store.refusal = refusal

    assert await scene.state_after(order) is OrderState.REFUSED
    assert scene.store.rows[order].reason == f"portfolio: {refusal}"
    assert scene.signer.asked == []


@pytest.mark.parametrize("refusal", ReserveRefusal)
async def test_an_approval_that_cannot_reserve_its_fee_ends_the_swap_with_the_code(
    scene: Scene, refusal: ReserveRefusal
) -> None:
    order = await scene.order()
    scene.store.refusal = refusal

    assert await scene.state_after(order) is OrderState.REFUSED
    assert scene.store.rows[order].reason == f"portfolio: {refusal}"
    assert list(scene.store.rows) == [order]


async def test_a_swap_waits_while_another_has_its_allowance(scene: Scene) -> None:
    order = await scene.order()
    scene.store.allowance_taken = True
    waits = await scene.step(order)

    assert isinstance(waits, Wait)
    assert waits.first is None
    assert list(scene.store.rows) == [order]


async def test_a_swap_that_waits_for_its_allowance_asks_no_venue(scene: Scene) -> None:
    order = await scene.order()
    await scene.step(order)
    asked = scene.venue.asked
    await scene.step(order)

    assert scene.venue.asked == asked


async def test_a_dearer_draft_without_cover_gives_the_order_up_and_halts_nobody(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    order = await scene.order()
    await scene.until(order, OrderState.RESERVED)

    async def short(*_: object) -> Claim:
        raise FundsShortError("the fee rose")

    monkeypatch.setattr(scene.store, "ask_signature", short)
    await Worker(scene.desk, "w").work(scene.store.claim_now(order), asyncio.Event())

    assert scene.store.rows[order].state is OrderState.EXPIRED
    assert "the fee rose" in (scene.store.rows[order].reason or "")
    assert (scene.store.halts, scene.signer.asked) == ({}, [])


async def test_the_key_is_written_before_the_signer_hears_of_it(scene: Scene) -> None:
    order = await scene.order()
    row = await scene.until(order, OrderState.SIGN_REQUESTED)

    assert scene.signer.asked == []
    assert row.idempotency_key == order.replace("-", "")


@pytest.mark.parametrize(
    ("script", "error"),
    [
        (Script.CUT_BEFORE, SignerUnavailableError),
        (Script.CUT_AFTER, SignerUnavailableError),
        (Script.PAUSED, SignerNotReadyError),
    ],
)
async def test_no_answer_of_the_signer_never_ends_an_order_however_late_it_is(
    scene: Scene, script: Script, error: type[Exception]
) -> None:
    order = await scene.order()
    await scene.until(order, OrderState.SIGN_REQUESTED)
    scene.signer.script(script)
    with pytest.raises(error):
        await scene.step(order)
    scene.clock.advance_ms(10**9)

    assert scene.store.rows[order].state is OrderState.SIGN_REQUESTED
    assert await scene.state_after(order) is OrderState.SIGNED
    assert len(scene.signer.signed) == 1


async def test_a_denial_ends_the_order_with_every_reason(scene: Scene) -> None:
    order = await scene.order()
    await scene.until(order, OrderState.SIGN_REQUESTED)
    scene.signer.script(Script.DENY)

    assert await scene.state_after(order) is OrderState.REFUSED
    assert "SLIPPAGE_TOO_HIGH (actual 80, limit 50" in (scene.store.rows[order].reason or "")


@pytest.mark.parametrize("live", [False])
async def test_a_dry_run_goes_up_to_the_verdict_and_asks_for_no_allowance(
    scene: Scene, *, live: bool
) -> None:
    order = await scene.order(live=live)
    for _ in range(3):
        await scene.step(order)

    assert scene.store.rows[order].state is OrderState.EXPIRED
    assert scene.store.rows[order].reason == "dry run: the signer would sign"
    assert (scene.signer.signed, scene.store.approvals) == ([], {})


@pytest.mark.parametrize(
    "said", [outcome for outcome in BroadcastOutcome if outcome not in ("accepted", "known")]
)
async def test_whatever_the_node_says_against_it_the_outcome_is_unknown_not_failed(
    scene: Scene, said: BroadcastOutcome
) -> None:
    order = await scene.order()
    await scene.until(order, OrderState.SIGNED)
    scene.chain.says = said

    assert await scene.state_after(order) is OrderState.UNKNOWN
    assert said in (scene.store.rows[order].reason or "")


async def test_after_a_restart_a_signed_order_that_is_mined_already_is_not_sent_again(scene: Scene) -> None:
    order = await scene.order()
    row = await scene.until(order, OrderState.SIGNED)
    scene.desk.held.forget(order)
    scene.chain.mine(str(row.transaction_hash))

    assert await scene.state_after(order) is OrderState.MINED
    assert scene.chain.sent == []


async def test_after_a_restart_the_same_bytes_are_asked_for_and_sent(scene: Scene) -> None:
    order = await scene.order()
    row = await scene.until(order, OrderState.SIGNED)
    scene.desk.held.forget(order)

    assert await scene.state_after(order) is OrderState.BROADCAST
    assert scene.chain.sent == [row.transaction_hash]
    assert len(scene.signer.signed) == 1


@pytest.mark.parametrize("state", IN_THE_WORLD)
async def test_an_unreachable_node_changes_no_state(scene: Scene, state: OrderState) -> None:
    order = await scene.order()
    await scene.until(order, OrderState.BROADCAST)
    scene.store.rows[order] = replace(scene.store.rows[order], state=state)
    scene.chain.answers = False
    with pytest.raises(ChainUnavailableError):
        await scene.step(order)

    assert scene.store.rows[order].state is state


async def test_a_receipt_settles_only_when_it_is_final_and_in_the_chain(scene: Scene) -> None:
    order = await scene.order()
    row = await scene.until(order, OrderState.BROADCAST)
    scene.chain.mine(str(row.transaction_hash))
    await scene.step(order)
    young = await scene.state_after(order)
    scene.chain.number += 1
    scene.chain.hashes[10] = "another block"
    elsewhere = await scene.state_after(order)
    scene.chain.hashes.clear()

    assert (young, elsewhere) == (OrderState.MINED, OrderState.MINED)
    assert await scene.state_after(order) is OrderState.SETTLED


async def test_a_revert_is_booked_as_such(scene: Scene) -> None:
    order = await scene.order()
    row = await scene.until(order, OrderState.BROADCAST)
    scene.chain.mine(str(row.transaction_hash), reverted=True, block=1)
    await scene.step(order)

    assert await scene.state_after(order) is OrderState.REVERTED


async def test_a_receipt_that_vanishes_goes_back_to_broadcast(scene: Scene) -> None:
    order = await scene.order()
    row = await scene.until(order, OrderState.BROADCAST)
    scene.chain.mine(str(row.transaction_hash))
    await scene.step(order)
    scene.chain.receipts.clear()

    assert await scene.state_after(order) is OrderState.BROADCAST


async def test_a_used_nonce_without_a_receipt_needs_two_looks(scene: Scene) -> None:
    order = await scene.order()
    await scene.until(order, OrderState.BROADCAST)
    scene.clock.advance_ms(30_000)
    scene.chain.count = 1
    first = await scene.state_after(order)
    second = await scene.state_after(order)

    assert (first, second) == (OrderState.UNKNOWN, OrderState.DROPPED)


async def test_a_receipt_between_the_two_looks_wins(scene: Scene) -> None:
    order = await scene.order()
    row = await scene.until(order, OrderState.BROADCAST)
    scene.clock.advance_ms(30_000)
    scene.chain.count = 1
    await scene.step(order)
    scene.chain.mine(str(row.transaction_hash))

    assert await scene.state_after(order) is OrderState.MINED


async def test_replacements_are_bounded_and_a_cancellation_comes_after_the_deadline(scene: Scene) -> None:
    order = await scene.order()
    await scene.until(order, OrderState.BROADCAST)
    scene.clock.advance_ms(30_000)
    for _ in range(5):
        await scene.step(order)
    after_first = len(scene.signer.signed)
    scene.clock.advance_ms(10**6)
    scene.chain.timestamp_s = scene.clock.now() // 1000
    for _ in range(5):
        await scene.step(order)

    assert after_first == 2
    assert [draft.data for draft in scene.signer.drafts] == [b"swap", b"swap", b""]
    assert {signed.nonce for signed in scene.signer.signed} == {0}


async def test_a_signer_that_does_not_know_the_original_proves_nothing(scene: Scene) -> None:
    order = await scene.order()
    await scene.until(order, OrderState.BROADCAST)
    scene.clock.advance_ms(30_000)
    scene.chain.count = 1
    scene.signer._ledger.clear()
    with pytest.raises(SignerNotReadyError):
        await scene.step(order)

    assert scene.store.rows[order].state is OrderState.BROADCAST
