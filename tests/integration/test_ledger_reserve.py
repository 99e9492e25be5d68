"""The ledger over a real file: nonces, keys, budget and signatures."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from signer.adapters import group_commit
from signer.adapters.sqlite import SqliteLedger
from signer.domain.accounts import AccountState
from signer.domain.errors import BrokenError, NotFoundError, OverloadedError
from signer.domain.reasons import FailReason
from signer.domain.slots import IllegalTransitionError, SlotEvent, SlotState, TransactionKind
from signer.ports.ledger import (
    AlreadyKnown,
    NotReplaceable,
    NotSigning,
    OverLimit,
    Reserved,
    SlotChange,
)
from tests.fakes.clock import FakeClock
from tests.fakes.reservations import (
    ACCOUNT,
    OTHER_ACCOUNT,
    key,
    payload_hash,
    reservation,
    signed,
    token_limit,
    transaction_id,
)


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture(params=["file", "memory"])
async def ledger(
    request: pytest.FixtureRequest, tmp_path: Path, clock: FakeClock
) -> AsyncIterator[SqliteLedger]:
    path = tmp_path / "ledger.db" if request.param == "file" else None
    async with SqliteLedger(path, clock) as opened:
        await opened.open_account(ACCOUNT, 7, clock.now())
        yield opened


async def _reserve(ledger: SqliteLedger, number: int, clock: FakeClock) -> int:
    outcome = await ledger.reserve(reservation(number, clock.now()))
    assert isinstance(outcome, Reserved)
    return outcome.record.nonce


async def _sign(ledger: SqliteLedger, number: int, clock: FakeClock) -> None:
    await ledger.mark_signed(transaction_id(number), signed(number), payload_hash(number), clock.now())


async def test_nonces_begin_at_the_chains_count_and_are_contiguous(
    ledger: SqliteLedger, clock: FakeClock
) -> None:
    nonces = await asyncio.gather(*(_reserve(ledger, number, clock) for number in range(50)))

    assert sorted(nonces) == list(range(7, 57))


async def test_a_released_slot_is_reused_lowest_first(ledger: SqliteLedger, clock: FakeClock) -> None:
    for number in range(4):
        await _reserve(ledger, number, clock)
    await _sign(ledger, 3, clock)
    await ledger.release(transaction_id(2), clock.now())
    await ledger.release(transaction_id(0), clock.now())
    status = await ledger.account(ACCOUNT)

    assert status is not None
    assert status.free_nonces == (7, 9)
    assert [await _reserve(ledger, number, clock) for number in (10, 11, 12)] == [7, 9, 11]


async def test_released_slots_at_the_end_leave_no_gap(ledger: SqliteLedger, clock: FakeClock) -> None:
    for number in range(3):
        await _reserve(ledger, number, clock)
    for number in (1, 0, 2):
        await ledger.release(transaction_id(number), clock.now())
    status = await ledger.account(ACCOUNT)

    assert status is not None
    assert (status.next_nonce, status.free_nonces) == (7, ())


async def test_a_key_used_before_gives_what_came_of_it(ledger: SqliteLedger, clock: FakeClock) -> None:
    await _reserve(ledger, 1, clock)
    await _sign(ledger, 1, clock)
    again = await ledger.reserve(reservation(2, clock.now(), idempotency_key=key(1)))

    assert isinstance(again, AlreadyKnown)
    assert again.record.id == transaction_id(1)
    assert again.record.signed == signed(1)
    assert again.record == await ledger.get(transaction_id(1))
    assert await ledger.get(transaction_id(2)) is None


async def test_a_key_used_before_is_known_even_beyond_the_limits_of_a_paused_account(
    ledger: SqliteLedger, clock: FakeClock
) -> None:
    await _reserve(ledger, 1, clock)
    await ledger.pause(ACCOUNT, "by the test", clock.now())
    again = await ledger.reserve(
        reservation(2, clock.now(), idempotency_key=key(1), limits=(token_limit(1),))
    )

    assert isinstance(again, AlreadyKnown)
    assert again.record.id == transaction_id(1)


async def test_a_key_asked_at_the_same_moment_reserves_once(ledger: SqliteLedger, clock: FakeClock) -> None:
    asked = [reservation(number, clock.now(), idempotency_key=key(0)) for number in range(20)]
    outcomes = await asyncio.gather(*(ledger.reserve(one) for one in asked))

    assert sum(isinstance(outcome, Reserved) for outcome in outcomes) == 1
    assert sum(isinstance(outcome, AlreadyKnown) for outcome in outcomes) == 19


async def test_a_released_transaction_gives_its_key_back_and_stays_as_history(
    ledger: SqliteLedger, clock: FakeClock
) -> None:
    await _reserve(ledger, 1, clock)
    await ledger.release(transaction_id(1), clock.now())
    found = await ledger.find(reservation(1, clock.now()).client, key(1))
    again = await ledger.reserve(reservation(2, clock.now(), idempotency_key=key(1)))
    history = await ledger.get(transaction_id(1))

    assert found is None
    assert isinstance(again, Reserved)
    assert history is not None
    assert history.state is SlotState.RELEASED


async def test_a_race_over_the_cap_reserves_exactly_what_fits(ledger: SqliteLedger, clock: FakeClock) -> None:
    cap = token_limit(100 * 100)
    outcomes = await asyncio.gather(
        *(ledger.reserve(reservation(number, clock.now(), limits=(cap,))) for number in range(500))
    )
    reserved = [outcome.record.nonce for outcome in outcomes if isinstance(outcome, Reserved)]
    over = [outcome for outcome in outcomes if isinstance(outcome, OverLimit)]

    assert sorted(reserved) == list(range(7, 107))
    assert len(over) == 400
    assert {(excess.used, excess.charge) for outcome in over for excess in outcome.excesses} == {
        (10_000, 100)
    }


async def test_a_released_reservation_gives_its_budget_back(ledger: SqliteLedger, clock: FakeClock) -> None:
    cap = token_limit(100)
    await ledger.reserve(reservation(1, clock.now(), limits=(cap,)))
    refused = await ledger.reserve(reservation(2, clock.now(), limits=(cap,)))
    await ledger.release(transaction_id(1), clock.now())
    allowed = await ledger.reserve(reservation(3, clock.now(), limits=(cap,)))

    assert isinstance(refused, OverLimit)
    assert isinstance(allowed, Reserved)


async def test_a_paused_account_reserves_nothing_until_resumed(
    ledger: SqliteLedger, clock: FakeClock
) -> None:
    await ledger.pause(ACCOUNT, "nonce 9 was used by someone else", clock.now())
    refused = await ledger.reserve(reservation(1, clock.now()))
    await ledger.resume(ACCOUNT, clock.now())

    assert refused == NotSigning(state=AccountState.PAUSED, reason="nonce 9 was used by someone else")
    assert await _reserve(ledger, 1, clock) == 7


async def test_an_account_that_was_never_opened_reserves_nothing(
    ledger: SqliteLedger, clock: FakeClock
) -> None:
    with pytest.raises(NotFoundError, match="never opened"):
        await ledger.reserve(reservation(1, clock.now(), account=OTHER_ACCOUNT))

    assert await ledger.account(OTHER_ACCOUNT) is None


async def test_opening_a_known_account_changes_nothing(ledger: SqliteLedger, clock: FakeClock) -> None:
    await _reserve(ledger, 1, clock)
    status = await ledger.open_account(ACCOUNT, 99, clock.now())

    assert status.next_nonce == 8


async def test_a_second_signature_for_a_slot_is_refused(ledger: SqliteLedger, clock: FakeClock) -> None:
    await _reserve(ledger, 1, clock)
    await _sign(ledger, 1, clock)
    with pytest.raises(BrokenError) as refused:
        await ledger.mark_signed(transaction_id(1), signed(2), payload_hash(2), clock.now())
    kept = await ledger.get(transaction_id(1))

    assert refused.value.reason is FailReason.BROKEN
    assert kept is not None
    assert kept.signed == signed(1)


async def test_the_same_signature_twice_is_the_same_answer(ledger: SqliteLedger, clock: FakeClock) -> None:
    await _reserve(ledger, 1, clock)
    first = await ledger.mark_signed(transaction_id(1), signed(1), payload_hash(1), clock.now())
    clock.advance_s(5)
    second = await ledger.mark_signed(transaction_id(1), signed(1), payload_hash(1), clock.now())

    assert first == second


async def test_a_signed_transaction_is_never_released(ledger: SqliteLedger, clock: FakeClock) -> None:
    await _reserve(ledger, 1, clock)
    await _sign(ledger, 1, clock)

    with pytest.raises(IllegalTransitionError):
        await ledger.release(transaction_id(1), clock.now())


async def test_a_replacement_takes_the_nonce_of_the_newest_open_transaction(
    ledger: SqliteLedger, clock: FakeClock
) -> None:
    await _reserve(ledger, 1, clock)
    await _sign(ledger, 1, clock)
    faster = reservation(2, clock.now(), kind=TransactionKind.REPLACEMENT, replaces=transaction_id(1))
    outcome = await ledger.reserve(faster)
    early = await ledger.reserve(replace(faster, id=transaction_id(3), idempotency_key=key(3)))
    await _sign(ledger, 2, clock)
    stale = await ledger.reserve(replace(faster, id=transaction_id(4), idempotency_key=key(4)))
    stop = reservation(5, clock.now(), kind=TransactionKind.CANCELLATION, replaces=transaction_id(2))
    cancelled = await ledger.reserve(stop)
    await _sign(ledger, 5, clock)

    assert isinstance(outcome, Reserved)
    assert outcome.record.nonce == 7
    assert early == NotReplaceable(state=SlotState.SIGNED, newest=transaction_id(2))
    assert stale == NotReplaceable(state=SlotState.SIGNED, newest=transaction_id(2))
    assert isinstance(cancelled, Reserved)
    assert [record.id for record in await ledger.unsettled(ACCOUNT, below=2**31)] == [
        transaction_id(number) for number in (1, 2, 5)
    ]
    assert await _reserve(ledger, 6, clock) == 8


async def test_a_released_replacement_gives_no_nonce_away(ledger: SqliteLedger, clock: FakeClock) -> None:
    await _reserve(ledger, 1, clock)
    await _sign(ledger, 1, clock)
    faster = reservation(2, clock.now(), kind=TransactionKind.REPLACEMENT, replaces=transaction_id(1))
    await ledger.reserve(faster)
    await ledger.release(transaction_id(2), clock.now())

    assert await _reserve(ledger, 3, clock) == 8


async def test_another_accounts_transaction_cannot_be_replaced(
    ledger: SqliteLedger, clock: FakeClock
) -> None:
    await ledger.open_account(OTHER_ACCOUNT, 0, clock.now())
    await _reserve(ledger, 1, clock)
    await _sign(ledger, 1, clock)

    with pytest.raises(NotFoundError, match="to replace"):
        await ledger.reserve(
            reservation(
                2,
                clock.now(),
                account=OTHER_ACCOUNT,
                kind=TransactionKind.REPLACEMENT,
                replaces=transaction_id(1),
            )
        )


async def test_one_failing_unit_does_not_poison_the_others(ledger: SqliteLedger, clock: FakeClock) -> None:
    outcomes = await asyncio.gather(
        _reserve(ledger, 1, clock),
        ledger.release(transaction_id(99), clock.now()),
        _reserve(ledger, 2, clock),
        ledger.reserve(reservation(2, clock.now(), idempotency_key=key(77))),
        _reserve(ledger, 3, clock),
        return_exceptions=True,
    )

    assert [outcomes[index] for index in (0, 2, 4)] == [7, 8, 9]
    assert isinstance(outcomes[1], NotFoundError)
    assert isinstance(outcomes[3], BrokenError)
    use = (await ledger.usage(ACCOUNT, [token_limit(1)], clock.now()))[0]
    assert use.used == 300


async def test_work_of_a_cancelled_caller_is_done_whole(ledger: SqliteLedger, clock: FakeClock) -> None:
    task = asyncio.ensure_future(ledger.reserve(reservation(1, clock.now())))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await _reserve(ledger, 2, clock) == 8
    record = await ledger.get(transaction_id(1))

    assert record is not None
    assert record.nonce == 7


async def test_too_much_waiting_work_is_refused_at_once(
    ledger: SqliteLedger, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(group_commit, "MAX_WAITING", 2)
    outcomes = await asyncio.gather(
        *(ledger.reserve(reservation(number, clock.now())) for number in range(5)), return_exceptions=True
    )

    assert [isinstance(outcome, OverloadedError) for outcome in outcomes] == [False, False, True, True, True]


async def test_all_changes_apply_or_none(ledger: SqliteLedger, clock: FakeClock) -> None:
    await _reserve(ledger, 1, clock)
    await _sign(ledger, 1, clock)
    changes = [
        SlotChange(id=transaction_id(1), event=SlotEvent.BROADCAST_REPORTED),
        SlotChange(id=transaction_id(2), event=SlotEvent.BROADCAST_REPORTED),
    ]
    with pytest.raises(NotFoundError):
        await ledger.apply(changes, clock.now())
    record = await ledger.get(transaction_id(1))

    assert record is not None
    assert record.state is SlotState.SIGNED


async def test_a_nonce_is_taken_over_only_where_no_signature_stands(
    ledger: SqliteLedger, clock: FakeClock
) -> None:
    for number in range(3):
        await _reserve(ledger, number, clock)
    await _sign(ledger, 1, clock)
    await ledger.release(transaction_id(0), clock.now())
    with pytest.raises(BrokenError, match="is reserved"):
        await ledger.take_over_nonce(ACCOUNT, 20, clock.now())
    await ledger.release(transaction_id(2), clock.now())
    with pytest.raises(BrokenError, match="nonce 8 is signed"):
        await ledger.take_over_nonce(ACCOUNT, 8, clock.now())
    await ledger.take_over_nonce(ACCOUNT, 20, clock.now())

    assert await _reserve(ledger, 9, clock) == 20


async def test_ledger_time_never_goes_back(ledger: SqliteLedger, clock: FakeClock) -> None:
    start = clock.now()
    await _reserve(ledger, 1, clock)
    clock.set(start - 100_000)
    await _reserve(ledger, 2, clock)
    later = await ledger.get(transaction_id(2))

    assert later is not None
    assert later.reserved_at == start
