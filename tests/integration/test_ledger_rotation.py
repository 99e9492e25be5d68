"""Rotations in the ledger: one step each, one budget for a whole line of accounts, RETIRED for ever."""

import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from signer.adapters.sqlite import SqliteLedger, database
from signer.domain.accounts import AccountId, AccountState
from signer.domain.errors import BrokenError, PreconditionError
from signer.domain.reasons import FailReason
from signer.domain.rotation import ROTATION_CLIENT, Rotation, RotationState
from signer.domain.slots import SlotEvent, SlotState
from signer.ports.ledger import NotSigning, OverLimit, Reservation, Reserved, SlotChange
from tests.fakes.clock import FakeClock
from tests.fakes.reservations import (
    ACCOUNT,
    DAY_S,
    OTHER_ACCOUNT,
    payload_hash,
    reservation,
    signed,
    token_limit,
    transaction_id,
)

CLOCK = FakeClock()
THIRD = AccountId("eip155:31337:0x" + "d4" * 20)
LIMIT = token_limit(150, DAY_S)
FORGED = """
INSERT INTO transactions (id, account, nonce, client, idempotency_key, request_digest, kind, state, chain_id,
    recipient, value_wei, data, gas_limit, max_fee_per_gas_wei, max_priority_fee_per_gas_wei, policy_hash,
    reserved_at)
SELECT 'x', account, 9, client, 'y', request_digest, kind, 'reserved', chain_id, recipient, value_wei, data,
    gas_limit, max_fee_per_gas_wei, max_priority_fee_per_gas_wei, policy_hash, reserved_at
FROM transactions
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "ledger.db"


async def _begin(
    ledger: SqliteLedger, new: AccountId = OTHER_ACCOUNT, *, emergency: bool = False
) -> Rotation:
    await ledger.open_account(ACCOUNT, 0, CLOCK.now())
    return await ledger.begin_rotation(ACCOUNT, new, 7, CLOCK.now(), emergency=emergency)


async def _sign(ledger: SqliteLedger, wanted: Reservation, number: int) -> None:
    assert isinstance(await ledger.reserve(wanted), Reserved)
    await ledger.mark_signed(transaction_id(number), signed(number), payload_hash(number), CLOCK.now())


async def _state(ledger: SqliteLedger, account: AccountId) -> AccountState:
    status = await ledger.account(account)
    assert status is not None
    return status.state


def _drain(number: int) -> Reservation:
    return replace(reservation(number, CLOCK.now()), client=ROTATION_CLIENT)


async def test_beginning_opens_the_new_account_and_drains_the_old_one() -> None:
    async with SqliteLedger.in_memory(CLOCK) as ledger:
        rotation = await _begin(ledger)
        new = await ledger.account(OTHER_ACCOUNT)

        assert await _state(ledger, ACCOUNT) is AccountState.DRAINING
        assert new is not None
        assert (new.state, new.next_nonce) == (AccountState.ACTIVE, 7)
        assert await ledger.rotations() == (rotation,)


async def test_beginning_again_changes_nothing_and_may_only_make_it_urgent() -> None:
    async with SqliteLedger.in_memory(CLOCK) as ledger:
        first = await _begin(ledger)

        assert await _begin(ledger) == first
        assert await _begin(ledger, emergency=True) == replace(first, emergency=True)
        assert await _begin(ledger) == replace(first, emergency=True)


@pytest.mark.parametrize(
    ("old", "new"), [(ACCOUNT, THIRD), (OTHER_ACCOUNT, THIRD), (THIRD, OTHER_ACCOUNT), (THIRD, ACCOUNT)]
)
async def test_who_takes_part_in_a_rotation_takes_part_in_no_other(old: AccountId, new: AccountId) -> None:
    async with SqliteLedger.in_memory(CLOCK) as ledger:
        await ledger.open_account(THIRD, 0, CLOCK.now())
        await _begin(ledger)

        with pytest.raises(PreconditionError) as refused:
            await ledger.begin_rotation(old, new, 0, CLOCK.now(), emergency=False)

        assert refused.value.reason is FailReason.ROTATION_NOT_POSSIBLE


async def test_a_draining_account_reserves_for_its_rotation_only() -> None:
    async with SqliteLedger.in_memory(CLOCK) as ledger:
        await _begin(ledger)

        assert await ledger.reserve(reservation(1, CLOCK.now())) == NotSigning(
            state=AccountState.DRAINING, reason=""
        )
        assert isinstance(await ledger.reserve(_drain(2)), Reserved)


async def test_the_rotation_reserves_nothing_on_an_account_that_trades() -> None:
    async with SqliteLedger.in_memory(CLOCK) as ledger:
        await ledger.open_account(ACCOUNT, 0, CLOCK.now())

        assert isinstance(await ledger.reserve(_drain(1)), NotSigning)


async def test_a_pause_holds_the_drain_and_a_resume_does_not_let_it_trade() -> None:
    async with SqliteLedger.in_memory(CLOCK) as ledger:
        await _begin(ledger)
        await ledger.pause(ACCOUNT, "drill", CLOCK.now())
        held = await ledger.reserve(_drain(1))
        await ledger.resume(ACCOUNT, CLOCK.now())

        assert held == NotSigning(state=AccountState.DRAINING, reason="drill")
        assert isinstance(await ledger.reserve(_drain(2)), Reserved)
        assert isinstance(await ledger.reserve(reservation(3, CLOCK.now())), NotSigning)


async def test_what_the_old_account_used_counts_for_the_new_one_over_a_restart_too(path: Path) -> None:
    async with SqliteLedger(path, CLOCK) as ledger:
        await ledger.open_account(ACCOUNT, 0, CLOCK.now())
        await _sign(ledger, reservation(1, CLOCK.now(), limits=(LIMIT,)), 1)
        await _begin(ledger)
        wanted = reservation(2, CLOCK.now(), account=OTHER_ACCOUNT, limits=(LIMIT,))
        before = await ledger.reserve(wanted)
    async with SqliteLedger(path, CLOCK) as ledger:
        after = await ledger.reserve(wanted)

    for outcome in (before, after):
        assert isinstance(outcome, OverLimit)
        assert outcome.excesses[0].used == 100


async def test_an_account_with_anything_open_does_not_retire() -> None:
    async with SqliteLedger.in_memory(CLOCK) as ledger:
        rotation = await _begin(ledger)
        await _sign(ledger, _drain(1), 1)

        with pytest.raises(PreconditionError, match=r"nonce 0 of .* is signed"):
            await ledger.finish_rotation(rotation.id, "", CLOCK.now())


async def test_a_retired_account_signs_never_again(path: Path) -> None:
    async with SqliteLedger(path, CLOCK) as ledger:
        rotation = await _begin(ledger)
        finished = await ledger.finish_rotation(rotation.id, "12 wei", CLOCK.now())
        refused = await ledger.reserve(_drain(1)), await ledger.reserve(reservation(2, CLOCK.now()))
        for act in (
            ledger.pause(ACCOUNT, "x", CLOCK.now()),
            ledger.resume(ACCOUNT, CLOCK.now()),
            ledger.begin_rotation(ACCOUNT, THIRD, 0, CLOCK.now(), emergency=True),
            ledger.turn_rotation_back(rotation.id, CLOCK.now()),
        ):
            with pytest.raises(PreconditionError):
                await act
    with (
        closing(sqlite3.connect(path)) as forger,
        pytest.raises(sqlite3.IntegrityError, match="never changes"),
    ):
        forger.execute("UPDATE accounts SET state = 'active' WHERE account = ?", (ACCOUNT,))

    assert (finished.state, finished.dust) == (RotationState.FINISHED, "12 wei")
    assert [type(outcome) for outcome in refused] == [NotSigning, NotSigning]


async def test_turned_back_the_old_account_trades_and_the_new_one_drains_into_it() -> None:
    async with SqliteLedger.in_memory(CLOCK) as ledger:
        rotation = await _begin(ledger)
        back = await ledger.turn_rotation_back(rotation.id, CLOCK.now())
        again = await ledger.turn_rotation_back(rotation.id, CLOCK.now())

        assert (back.old, back.new) == (OTHER_ACCOUNT, ACCOUNT)
        assert again == back
        assert await _state(ledger, ACCOUNT) is AccountState.ACTIVE
        assert await _state(ledger, OTHER_ACCOUNT) is AccountState.DRAINING


async def test_turning_back_is_no_resume() -> None:
    """Whoever paused everything finds it paused still, whichever way a rotation goes meanwhile."""
    async with SqliteLedger.in_memory(CLOCK) as ledger:
        rotation = await _begin(ledger)
        for account in (ACCOUNT, OTHER_ACCOUNT):
            await ledger.pause(account, "stop", CLOCK.now())

        await ledger.turn_rotation_back(rotation.id, CLOCK.now())

        both = [await ledger.account(account) for account in (ACCOUNT, OTHER_ACCOUNT)]
        assert [(one.state, one.reason) for one in both if one is not None] == [
            (AccountState.PAUSED, "stop"),
            (AccountState.DRAINING, "stop"),
        ]


async def test_a_chain_of_rotations_shares_one_budget() -> None:
    async with SqliteLedger.in_memory(CLOCK) as ledger:
        await ledger.open_account(ACCOUNT, 0, CLOCK.now())
        await _sign(ledger, reservation(1, CLOCK.now()), 1)
        await ledger.apply([SlotChange(id=transaction_id(1), event=SlotEvent.OTHER_HASH_FINAL)], CLOCK.now())
        first = await _begin(ledger)
        await ledger.finish_rotation(first.id, "", CLOCK.now())
        await _sign(ledger, reservation(2, CLOCK.now(), account=OTHER_ACCOUNT), 2)
        await ledger.begin_rotation(OTHER_ACCOUNT, THIRD, 0, CLOCK.now(), emergency=False)

        (use,) = await ledger.usage(THIRD, [LIMIT], CLOCK.now())
        assert use.used == 100  # the first settled to nothing, the second is held


async def test_nonces_that_somebody_else_used_are_skipped_and_no_signature_is_touched() -> None:
    async with SqliteLedger.in_memory(CLOCK) as ledger:
        await _begin(ledger)
        await ledger.reserve(_drain(1))
        await _sign(ledger, _drain(2), 2)
        await ledger.release(transaction_id(1), CLOCK.now())

        await ledger.catch_up(ACCOUNT, 1, CLOCK.now())

        status = await ledger.account(ACCOUNT)
        assert status is not None
        assert (status.free_nonces, status.next_nonce) == ((), 2)
        await ledger.catch_up(ACCOUNT, 5, CLOCK.now())
        outcome = await ledger.reserve(_drain(3))
        assert isinstance(outcome, Reserved)
        assert outcome.record.nonce == 5


async def test_a_ledger_of_version_one_is_brought_up_to_date_and_keeps_everything(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as past:
        past.setattr(database, "STEPS", database.STEPS[:1])
        past.setattr(database, "SCHEMA_VERSION", 1)
        past.setattr(database, "_bring_up_to_date", lambda _: None)
        connection = sqlite3.connect(path, isolation_level=None)
        database._migrate(connection, 0)
        connection.execute("INSERT INTO accounts VALUES (?, 'paused', 'drill', 4, 1)", (ACCOUNT,))
        connection.close()
    async with SqliteLedger(path, CLOCK) as ledger:
        status = await ledger.account(ACCOUNT)
        rotation = await _begin(ledger)
    with closing(sqlite3.connect(path)) as connection:
        migrated = set(connection.execute("SELECT name, sql FROM sqlite_schema").fetchall())
        (version,) = connection.execute("PRAGMA user_version").fetchone()
    async with SqliteLedger(path.with_name("fresh.db"), CLOCK):
        pass
    with closing(sqlite3.connect(path.with_name("fresh.db"))) as connection:
        fresh = set(connection.execute("SELECT name, sql FROM sqlite_schema").fetchall())

    assert status is not None
    assert (status.state, status.reason, status.next_nonce) == (AccountState.PAUSED, "drill", 4)
    assert rotation.state is RotationState.OPEN
    assert (version, migrated) == (database.SCHEMA_VERSION, fresh)


async def test_a_forged_reservation_of_a_retired_account_is_refused_by_the_file(path: Path) -> None:
    async with SqliteLedger(path, CLOCK) as ledger:
        rotation = await _begin(ledger)
        await _sign(ledger, _drain(1), 1)
        await ledger.apply([SlotChange(id=transaction_id(1), event=SlotEvent.OTHER_HASH_FINAL)], CLOCK.now())
        await ledger.finish_rotation(rotation.id, "", CLOCK.now())
        record = await ledger.get(transaction_id(1))

        with pytest.raises(BrokenError, match="signs never again"):
            await ledger._do(lambda work: work.connection.execute(FORGED))

    assert record is not None
    assert record.state is SlotState.REPLACED
