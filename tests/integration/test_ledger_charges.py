"""Budget over the life of a transaction: returns on proof only, never on a timer."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from signer.adapters.sqlite import SqliteLedger
from signer.domain.budget import FEE, TRANSACTIONS, Resource, RollingLimit
from signer.domain.chain import Receipt
from signer.domain.slots import SlotEvent, SlotState, TransactionKind
from signer.ports.ledger import SlotChange
from tests.fakes.clock import FakeClock
from tests.fakes.reservations import (
    ACCOUNT,
    DAY_S,
    HOUR_S,
    TOKEN_USE,
    payload_hash,
    reservation,
    signed,
    transaction_id,
)


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
async def ledger(tmp_path: Path, clock: FakeClock) -> AsyncIterator[SqliteLedger]:
    async with SqliteLedger(tmp_path / "ledger.db", clock) as opened:
        await opened.open_account(ACCOUNT, 0, clock.now())
        yield opened


async def _signed(
    ledger: SqliteLedger,
    number: int,
    clock: FakeClock,
    *,
    kind: TransactionKind = TransactionKind.ORIGINAL,
    replaces: int | None = None,
    amount: int = 100,
    fee_wei: int = 10,
) -> None:
    named = None if replaces is None else transaction_id(replaces)
    await ledger.reserve(
        reservation(number, clock.now(), kind=kind, replaces=named, amount=amount, fee_wei=fee_wei)
    )
    await ledger.mark_signed(transaction_id(number), signed(number), payload_hash(number), clock.now())


def _change(number: int, event: SlotEvent, *, reverted: bool = False, fee_paid_wei: int = 4) -> SlotChange:
    has_receipt = event in {SlotEvent.RECEIPT_SEEN, SlotEvent.RECEIPT_FINAL}
    receipt = Receipt(
        transaction_hash=signed(number).hash,
        block_number=12,
        block_hash="0x" + "0c" * 32,
        reverted=reverted,
        fee_paid_wei=fee_paid_wei,
    )
    return SlotChange(id=transaction_id(number), event=event, receipt=receipt if has_receipt else None)


async def _used(
    ledger: SqliteLedger, clock: FakeClock, resource: Resource = TOKEN_USE, window_s: int = HOUR_S
) -> int:
    limit = RollingLimit(resource=resource, window_s=window_s, limit=1)
    return (await ledger.usage(ACCOUNT, [limit], clock.now()))[0].used


async def test_budget_of_an_unknown_outcome_never_returns_by_itself(
    ledger: SqliteLedger, clock: FakeClock
) -> None:
    await _signed(ledger, 1, clock)
    clock.advance_s(30 * DAY_S)

    assert await _used(ledger, clock) == 100
    assert await _used(ledger, clock, FEE) == 10


async def test_a_count_of_transactions_is_a_rate_and_ages(ledger: SqliteLedger, clock: FakeClock) -> None:
    await _signed(ledger, 1, clock)
    clock.advance_s(60)
    before = await _used(ledger, clock, TRANSACTIONS, 60)
    clock.advance_s(1)

    assert (before, await _used(ledger, clock, TRANSACTIONS, 60)) == (1, 0)


async def test_a_charge_ages_from_the_moment_its_receipt_was_seen(
    ledger: SqliteLedger, clock: FakeClock
) -> None:
    await _signed(ledger, 1, clock)
    clock.advance_s(2 * DAY_S)
    await ledger.apply([_change(1, SlotEvent.RECEIPT_SEEN)], clock.now())
    clock.advance_s(HOUR_S)
    await ledger.apply([_change(1, SlotEvent.RECEIPT_FINAL)], clock.now())
    still = await _used(ledger, clock)
    clock.advance_s(1)

    assert still == 100
    assert await _used(ledger, clock) == 0
    assert await _used(ledger, clock, window_s=DAY_S) == 100


async def test_a_reorganised_transaction_is_held_again(ledger: SqliteLedger, clock: FakeClock) -> None:
    await _signed(ledger, 1, clock)
    await ledger.apply([_change(1, SlotEvent.RECEIPT_SEEN)], clock.now())
    await ledger.apply([_change(1, SlotEvent.REORGANISED_AWAY)], clock.now())
    clock.advance_s(DAY_S)
    record = await ledger.get(transaction_id(1))

    assert await _used(ledger, clock) == 100
    assert record is not None
    assert (record.state, record.block_number, record.block_hash) == (SlotState.BROADCAST, None, None)
    assert record.fee_paid_wei is None


@pytest.mark.parametrize(("reverted", "token_left"), [(False, 100), (True, 0)])
async def test_a_final_receipt_settles_fee_and_amount(
    ledger: SqliteLedger, clock: FakeClock, reverted: bool, token_left: int
) -> None:
    await _signed(ledger, 1, clock)
    await ledger.apply([_change(1, SlotEvent.RECEIPT_FINAL, reverted=reverted)], clock.now())
    record = await ledger.get(transaction_id(1))

    assert await _used(ledger, clock, FEE) == 4
    assert await _used(ledger, clock) == token_left
    assert record is not None
    assert (record.state, record.reverted, record.fee_paid_wei) == (SlotState.FINAL, reverted, 4)


async def test_a_final_replacement_settles_the_whole_nonce(ledger: SqliteLedger, clock: FakeClock) -> None:
    await _signed(ledger, 1, clock)
    await _signed(ledger, 2, clock, kind=TransactionKind.REPLACEMENT, replaces=1, amount=0, fee_wei=5)
    reserved = await _used(ledger, clock, FEE)
    await ledger.apply(
        [_change(2, SlotEvent.RECEIPT_FINAL), _change(1, SlotEvent.OTHER_HASH_FINAL)], clock.now()
    )

    assert reserved == 15
    assert await _used(ledger, clock, FEE) == 4
    assert await _used(ledger, clock) == 100


async def test_a_final_cancellation_returns_the_amount(ledger: SqliteLedger, clock: FakeClock) -> None:
    await _signed(ledger, 1, clock)
    await _signed(ledger, 2, clock, kind=TransactionKind.CANCELLATION, replaces=1, amount=0)
    await ledger.apply(
        [_change(2, SlotEvent.RECEIPT_FINAL), _change(1, SlotEvent.CANCELLATION_FINAL)], clock.now()
    )
    cancelled = await ledger.get(transaction_id(1))

    assert await _used(ledger, clock) == 0
    assert await _used(ledger, clock, FEE) == 4
    assert cancelled is not None
    assert cancelled.state is SlotState.CANCELLED


async def test_a_nonce_lost_to_a_foreign_transaction_returns_the_amount_and_keeps_the_fee(
    ledger: SqliteLedger, clock: FakeClock
) -> None:
    await _signed(ledger, 1, clock)
    await ledger.apply([_change(1, SlotEvent.OTHER_HASH_FINAL)], clock.now())

    assert await _used(ledger, clock) == 0
    assert await _used(ledger, clock, FEE) == 10


async def test_part_of_a_nonce_closing_returns_nothing(ledger: SqliteLedger, clock: FakeClock) -> None:
    await _signed(ledger, 1, clock)
    await _signed(ledger, 2, clock, kind=TransactionKind.REPLACEMENT, replaces=1, amount=50)
    await ledger.apply([_change(1, SlotEvent.OTHER_HASH_FINAL)], clock.now())

    assert await _used(ledger, clock) == 150


async def test_use_is_the_same_after_a_restart(tmp_path: Path, clock: FakeClock) -> None:
    path = tmp_path / "again.db"

    async def uses(ledger: SqliteLedger) -> list[int]:
        return [
            await _used(ledger, clock, resource, window_s)
            for resource in (TOKEN_USE, FEE, TRANSACTIONS)
            for window_s in (60, HOUR_S, DAY_S)
        ]

    async with SqliteLedger(path, clock) as ledger:
        await ledger.open_account(ACCOUNT, 0, clock.now())
        for number in range(6):
            await _signed(ledger, number, clock)
            clock.advance_s(1000)
        await ledger.apply([_change(0, SlotEvent.RECEIPT_FINAL)], clock.now())
        clock.advance_s(100)
        await ledger.apply([_change(1, SlotEvent.RECEIPT_SEEN)], clock.now())
        before = await uses(ledger)
    async with SqliteLedger(path, clock) as ledger:
        after = await uses(ledger)

    assert before == after


async def test_a_late_reorganisation_after_a_restart_still_finds_the_charges(
    tmp_path: Path, clock: FakeClock
) -> None:
    path = tmp_path / "again.db"
    async with SqliteLedger(path, clock) as ledger:
        await ledger.open_account(ACCOUNT, 0, clock.now())
        await _signed(ledger, 1, clock)
        await ledger.apply([_change(1, SlotEvent.RECEIPT_SEEN)], clock.now())
    clock.advance_s(3 * DAY_S)
    async with SqliteLedger(path, clock) as ledger:
        aged = await _used(ledger, clock)
        await ledger.apply([_change(1, SlotEvent.REORGANISED_AWAY)], clock.now())
        held = await _used(ledger, clock)

    assert (aged, held) == (0, 100)


async def test_settled_charges_older_than_two_days_are_forgotten_at_a_start(
    tmp_path: Path, clock: FakeClock
) -> None:
    path = tmp_path / "again.db"
    async with SqliteLedger(path, clock) as ledger:
        await ledger.open_account(ACCOUNT, 0, clock.now())
        await _signed(ledger, 1, clock)
        await ledger.apply([_change(1, SlotEvent.RECEIPT_FINAL)], clock.now())
    clock.advance_s(3 * DAY_S)
    async with SqliteLedger(path, clock) as ledger:
        (left,) = ledger._database.reader.execute("SELECT count(*) FROM charges").fetchone()

    assert left == 0
