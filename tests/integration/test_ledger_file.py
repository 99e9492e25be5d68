"""The ledger's file: one owner, damage, restored copies, a full disk. Always a clear error, never silence."""
# ruff: noqa: ASYNC240 - the tests tamper with small files between two uses of the ledger

import asyncio
import os
import shutil
import sqlite3
from pathlib import Path

import pytest

from signer.adapters.sqlite import SqliteLedger
from signer.domain.errors import ConfigurationError, PreconditionError, UnavailableError
from signer.domain.reasons import FailReason
from signer.domain.slots import SlotState
from signer.ports.ledger import Reserved
from tests.fakes.clock import FakeClock
from tests.fakes.reservations import (
    ACCOUNT,
    payload_hash,
    reservation,
    signed,
    token_limit,
    transaction_id,
)

CLOCK = FakeClock()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "ledger.db"


async def _fill(path: Path, first: int, count: int) -> None:
    async with SqliteLedger(path, CLOCK) as ledger:
        await ledger.open_account(ACCOUNT, 0, CLOCK.now())
        for number in range(first, first + count):
            await ledger.reserve(reservation(number, CLOCK.now()))
            await ledger.mark_signed(
                transaction_id(number), signed(number), payload_hash(number), CLOCK.now()
            )


async def _open(path: Path, *, accept_restored: bool = False) -> None:
    async with SqliteLedger(path, CLOCK, accept_restored=accept_restored):
        pass


async def test_every_file_of_the_ledger_is_the_owners_alone(path: Path) -> None:
    async with SqliteLedger(path, CLOCK) as ledger:
        await ledger.open_account(ACCOUNT, 0, CLOCK.now())
        modes = {file.name: file.stat().st_mode & 0o777 for file in path.parent.iterdir()}

    assert set(modes) >= {"ledger.db", "ledger.db-wal", "ledger.db.lock", "ledger.db.epoch"}
    assert set(modes.values()) == {0o600}


async def test_a_second_signer_is_refused_by_the_name_of_the_first(path: Path) -> None:
    async with SqliteLedger(path, CLOCK):
        with pytest.raises(ConfigurationError, match=rf"ledger.db.lock.*pid {os.getpid()}"):
            await _open(path)

    await _open(path)


async def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"nowhere/ledger\.db: the folder"):
        await _open(tmp_path / "nowhere" / "ledger.db")


async def test_garbage_in_the_header_is_refused(path: Path) -> None:
    await _fill(path, 0, 5)
    with path.open("r+b") as file:
        file.write(os.urandom(512))

    with pytest.raises(ConfigurationError, match=r"ledger.db: the ledger cannot be used.*backup"):
        await _open(path)


async def test_garbage_in_the_middle_is_refused(path: Path) -> None:
    await _fill(path, 0, 60)
    with path.open("r+b") as file:
        file.seek(path.stat().st_size // 2 // 4096 * 4096)
        file.write(b"\xa5" * 8192)

    with pytest.raises(
        ConfigurationError, match=r"ledger.db: the ledger (is damaged|cannot be used).*backup"
    ):
        await _open(path)


async def test_a_truncated_file_is_refused(path: Path) -> None:
    await _fill(path, 0, 60)
    os.truncate(path, path.stat().st_size // 2)

    with pytest.raises(ConfigurationError, match=r"ledger.db: the ledger (is damaged|cannot be used)"):
        await _open(path)


async def test_a_foreign_database_is_refused(path: Path) -> None:
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE songs (title TEXT)")
    connection.close()

    with pytest.raises(ConfigurationError, match="not a ledger"):
        await _open(path)


async def test_another_version_is_refused(path: Path) -> None:
    await _open(path)
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA user_version = 9")
    connection.close()

    with pytest.raises(ConfigurationError, match=r"version 9.*versions up to 3"):
        await _open(path)


async def _expect_doubt(path: Path, why: str) -> None:
    with pytest.raises(PreconditionError, match=why) as refused:
        await _open(path)

    assert refused.value.reason is FailReason.LEDGER_NEEDS_RECONCILE
    # Refusing changes nothing: it stays refused until an operator accepts it.
    with pytest.raises(PreconditionError):
        await _open(path)
    await _open(path, accept_restored=True)
    await _open(path)


async def test_a_snapshot_of_an_earlier_start_is_refused(path: Path) -> None:
    await _fill(path, 0, 3)
    snapshot = path.read_bytes()
    await _fill(path, 3, 3)
    await _fill(path, 6, 3)
    path.write_bytes(snapshot)

    await _expect_doubt(path, "another start")


async def test_a_snapshot_within_one_start_is_refused(path: Path) -> None:
    async with SqliteLedger(path, CLOCK) as ledger:
        await ledger.open_account(ACCOUNT, 0, CLOCK.now())
        await ledger.reserve(reservation(1, CLOCK.now()))
        backup = sqlite3.connect(path.with_name("backup.db"))
        source = sqlite3.connect(path)
        source.backup(backup)
        source.close()
        backup.close()
        await ledger.mark_signed(transaction_id(1), signed(1), payload_hash(1), CLOCK.now())
    path.write_bytes(path.with_name("backup.db").read_bytes())

    await _expect_doubt(path, "ends at event 1, and the mark remembers event 2")


async def test_a_missing_mark_is_refused(path: Path) -> None:
    await _fill(path, 0, 3)
    path.with_name("ledger.db.epoch").unlink()

    await _expect_doubt(path, "mark is missing")


async def test_an_empty_ledger_beside_the_mark_of_a_full_one_is_refused(path: Path) -> None:
    await _fill(path, 0, 3)
    path.unlink()

    await _expect_doubt(path, "it is empty, and the mark remembers 6 events")


async def test_a_second_copy_in_another_folder_is_refused(path: Path) -> None:
    await _fill(path, 0, 3)
    copy = path.parent / "copy"
    copy.mkdir()
    for name in ("ledger.db", "ledger.db.epoch"):
        shutil.copy(path.with_name(name), copy / name)

    await _expect_doubt(copy / "ledger.db", "copy of the file")


async def test_a_full_disk_fails_clearly_leaves_nothing_half_done_and_recovers(path: Path) -> None:
    async with SqliteLedger(path, CLOCK) as ledger:
        await ledger.open_account(ACCOUNT, 0, CLOCK.now())
        await ledger.reserve(reservation(0, CLOCK.now()))
        writer = ledger._database.writer
        (pages,) = writer.execute("PRAGMA page_count").fetchone()
        writer.execute(f"PRAGMA max_page_count = {pages}")
        outcomes = await asyncio.gather(
            *(ledger.reserve(reservation(number, CLOCK.now())) for number in range(1, 60)),
            return_exceptions=True,
        )
        failed = [outcome for outcome in outcomes if isinstance(outcome, UnavailableError)]
        kept = [outcome for outcome in outcomes if isinstance(outcome, Reserved)]
        before = await ledger.account(ACCOUNT)
        use = (await ledger.usage(ACCOUNT, [token_limit(1)], CLOCK.now()))[0].used
        writer.execute("PRAGMA max_page_count = 100000")
        after = await ledger.reserve(reservation(100, CLOCK.now()))

    assert failed
    assert {error.reason for error in failed} == {FailReason.LEDGER_UNAVAILABLE}
    assert len(failed) + len(kept) == 59
    assert before is not None
    assert before.next_nonce == 1 + len(kept)
    assert use == 100 * (1 + len(kept))
    assert isinstance(after, Reserved)
    assert after.record.nonce == before.next_nonce


async def test_a_failed_commit_fails_everybody_and_is_forgotten(path: Path) -> None:
    async with SqliteLedger(path, CLOCK) as ledger:
        await ledger.open_account(ACCOUNT, 0, CLOCK.now())
        flush = ledger._store.flush

        def fail() -> None:
            raise sqlite3.OperationalError("disk I/O error")

        ledger._store.flush = fail  # type: ignore[method-assign]  # the scripted failure
        outcomes = await asyncio.gather(
            *(ledger.reserve(reservation(number, CLOCK.now())) for number in range(5)),
            return_exceptions=True,
        )
        ledger._store.flush = flush  # type: ignore[method-assign]  # back again
        use = (await ledger.usage(ACCOUNT, [token_limit(1)], CLOCK.now()))[0].used
        lost = await ledger.get(transaction_id(0))
        again = await ledger.reserve(reservation(0, CLOCK.now()))

    assert all(
        isinstance(outcome, UnavailableError) and outcome.reason is FailReason.LEDGER_UNAVAILABLE
        for outcome in outcomes
    )
    assert use == 0
    assert lost is None
    assert isinstance(again, Reserved)
    assert again.record.nonce == 0


async def test_another_writer_makes_the_ledger_unavailable_and_no_more(path: Path) -> None:
    async with SqliteLedger(path, CLOCK) as ledger:
        await ledger.open_account(ACCOUNT, 0, CLOCK.now())
        intruder = sqlite3.connect(path, isolation_level=None)
        intruder.execute("BEGIN IMMEDIATE")
        with pytest.raises(UnavailableError, match="locked"):
            await ledger.reserve(reservation(1, CLOCK.now()))
        intruder.execute("ROLLBACK")
        intruder.close()
        outcome = await ledger.reserve(reservation(1, CLOCK.now()))

    assert isinstance(outcome, Reserved)


async def test_a_closed_ledger_says_that_it_is_closing(path: Path) -> None:
    async with SqliteLedger(path, CLOCK) as ledger:
        await ledger.open_account(ACCOUNT, 0, CLOCK.now())

    with pytest.raises(UnavailableError) as refused:
        await ledger.reserve(reservation(1, CLOCK.now()))

    assert refused.value.reason is FailReason.SHUTTING_DOWN


async def test_what_was_reserved_and_not_signed_is_released_and_reported_at_start(path: Path) -> None:
    await _fill(path, 0, 1)
    async with SqliteLedger(path, CLOCK) as ledger:
        await ledger.reserve(reservation(1, CLOCK.now()))
        await ledger.reserve(reservation(2, CLOCK.now()))
    async with SqliteLedger(path, CLOCK) as ledger:
        released = {record.id for record in ledger.released_at_start}
        status = await ledger.account(ACCOUNT)
        history = await ledger.get(transaction_id(1))
        kept = await ledger.get(transaction_id(0))

    assert released == {transaction_id(1), transaction_id(2)}
    assert status is not None
    assert (status.next_nonce, status.free_nonces) == (1, ())
    assert history is not None
    assert history.state is SlotState.RELEASED
    assert kept is not None
    assert kept.state is SlotState.SIGNED


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE transactions SET raw = x'00'",
        "UPDATE transactions SET nonce = 5",
        "UPDATE transactions SET state = 'released'",
        "DELETE FROM transactions",
        "DELETE FROM events",
        "UPDATE events SET state = 'final'",
    ],
)
async def test_the_file_itself_refuses_to_change_history(path: Path, statement: str) -> None:
    await _fill(path, 0, 1)
    connection = sqlite3.connect(path)

    with pytest.raises(sqlite3.IntegrityError):
        connection.execute(statement)

    connection.close()


async def test_the_file_itself_refuses_a_second_original_for_a_nonce(path: Path) -> None:
    await _fill(path, 0, 1)
    connection = sqlite3.connect(path)

    with pytest.raises(sqlite3.IntegrityError, match="UNIQUE"):
        connection.execute(
            "INSERT INTO transactions SELECT 99, 'other', account, nonce, client, 'other', request_digest, "
            "kind, replaces, 'signed', chain_id, recipient, value_wei, data, gas_limit, max_fee_per_gas_wei, "
            "max_priority_fee_per_gas_wei, policy_hash, reserved_at, 'x', raw, hash, signed_at, "
            "NULL, NULL, 0, NULL FROM transactions"
        )

    connection.close()
