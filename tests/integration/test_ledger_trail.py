"""Ledger and audit trail in one flush: no slot without its record, and a trail that fails takes no slot."""

import asyncio
import json
import os
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from dataclasses import replace
from pathlib import Path

import pytest

from signer.adapters.audit_file import AuditFile, verify
from signer.adapters.sqlite import SqliteLedger
from signer.domain.accounts import AccountState
from signer.domain.errors import BrokenError, UnavailableError
from signer.domain.reasons import FailReason
from signer.ports.ledger import OverLimit, Reserved
from tests.fakes.clock import FakeClock
from tests.fakes.reservations import (
    ACCOUNT,
    decided,
    payload_hash,
    reservation,
    signed,
    token_limit,
    trail_of,
    transaction_id,
)

CLOCK = FakeClock()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "ledger.db"


@asynccontextmanager
async def both(path: Path) -> AsyncIterator[tuple[SqliteLedger, AuditFile]]:
    """Ledger and trail, open, with an account that signs."""
    async with (
        AuditFile(trail_of(path), CLOCK) as trail,
        SqliteLedger(path, CLOCK, trail=trail) as ledger,
    ):
        await ledger.open_account(ACCOUNT, 0, CLOCK.now())
        yield ledger, trail


def recorded(path: Path) -> list[tuple[str, int]]:
    """Transaction and nonce of every slot that a sound trail tells of."""
    assert verify(trail_of(path)).problem is None
    lines = map(json.loads, trail_of(path).read_bytes().splitlines()[1:])
    return [(line["transaction"], line["nonce"]) for line in lines if line["verdict"] == "approved"]


async def test_a_slot_and_its_record_are_there_when_reserve_returns(path: Path) -> None:
    async with both(path) as (ledger, trail):
        outcome = await ledger.reserve(reservation(1, CLOCK.now()), decided)
        head = trail.head

        assert isinstance(outcome, Reserved)
        assert recorded(path) == [(transaction_id(1), 0)]
        assert head.seq == 1
        assert verify(trail_of(path), head).problem is None


async def test_the_record_is_durable_before_its_slot(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sync, slots = os.fdatasync, list[int]()

    def look_and_sync(descriptor: int) -> None:
        with closing(sqlite3.connect(path)) as reader:
            slots.extend(reader.execute("SELECT count(*) FROM transactions").fetchone())
        sync(descriptor)

    async with both(path) as (ledger, _):
        monkeypatch.setattr(os, "fdatasync", look_and_sync)
        await _slot(ledger, 1)

    assert slots == [0]


async def test_what_reserves_nothing_records_nothing(path: Path) -> None:
    async with both(path) as (ledger, _):
        outcome = await ledger.reserve(reservation(1, CLOCK.now(), limits=(token_limit(1),)), decided)

    assert isinstance(outcome, OverLimit)
    assert recorded(path) == []


async def test_reservations_and_other_records_form_one_chain(path: Path) -> None:
    async with both(path) as (ledger, trail):
        slot = await _slot(ledger, 0)
        denial = replace(decided(slot.record), verdict="denied", transaction=None, nonce=None)
        await asyncio.gather(
            *(ledger.reserve(reservation(number, CLOCK.now()), decided) for number in range(1, 200)),
            *(trail.append(denial) for _ in range(200)),
        )
        head = trail.head

    assert head.seq == 400
    assert verify(trail_of(path), head).problem is None
    assert sorted(nonce for _, nonce in recorded(path)) == list(range(200))


async def test_a_batch_that_runs_twice_is_recorded_once(path: Path) -> None:
    async with both(path) as (ledger, _):
        same_id = replace(reservation(2, CLOCK.now()), id=transaction_id(1))
        outcomes = await asyncio.gather(
            *(ledger.reserve(wanted, decided) for wanted in (reservation(1, CLOCK.now()), same_id)),
            ledger.reserve(reservation(3, CLOCK.now()), decided),
            return_exceptions=True,
        )

    assert [type(outcome) for outcome in outcomes] == [Reserved, BrokenError, Reserved]
    assert recorded(path) == [(transaction_id(1), 0), (transaction_id(3), 1)]


@pytest.mark.parametrize("call", ["write", "fdatasync"])
async def test_a_trail_that_fails_takes_no_slot_and_the_ledger_goes_on(
    path: Path, call: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> int:
        raise OSError(28, "No space left on device")

    async with both(path) as (ledger, trail):
        slot = await _slot(ledger, 1)
        with monkeypatch.context() as broken:
            broken.setattr(os, call, full)
            with pytest.raises(UnavailableError, match="No space left") as first:
                await ledger.reserve(reservation(2, CLOCK.now()), decided)
        second, *others = await asyncio.gather(
            ledger.reserve(reservation(3, CLOCK.now()), decided),
            ledger.mark_signed(transaction_id(1), signed(1), payload_hash(1), CLOCK.now()),
            ledger.pause(ACCOUNT, "drill", CLOCK.now()),
            return_exceptions=True,
        )
        with pytest.raises(UnavailableError, match="restart"):
            await trail.append(decided(slot.record))
        status, works = await ledger.account(ACCOUNT), trail.works
    async with both(path) as (ledger, _):
        await ledger.resume(ACCOUNT, CLOCK.now())
        again = await _slot(ledger, 2)

    assert first.value.reason is FailReason.AUDIT_UNAVAILABLE
    assert isinstance(second, UnavailableError)
    assert "restart" in str(second)
    assert not [other for other in others if isinstance(other, BaseException)]
    assert not works
    assert status is not None
    assert (status.next_nonce, status.state) == (1, AccountState.PAUSED)
    assert again.record.nonce == 1


async def test_a_trail_that_is_closed_before_its_ledger_takes_no_slot(path: Path) -> None:
    trail = AuditFile(trail_of(path), CLOCK)
    async with SqliteLedger(path, CLOCK, trail=trail) as ledger:
        await ledger.open_account(ACCOUNT, 0, CLOCK.now())
        async with trail:
            await _slot(ledger, 1)
        with pytest.raises(UnavailableError) as refused:
            await ledger.reserve(reservation(2, CLOCK.now()), decided)
        status = await ledger.account(ACCOUNT)

    assert refused.value.reason is FailReason.SHUTTING_DOWN
    assert status is not None
    assert status.next_nonce == 1
    assert recorded(path) == [(transaction_id(1), 0)]


async def test_a_failed_commit_leaves_a_decision_without_slot_and_the_nonce_for_the_next(path: Path) -> None:
    async with both(path) as (ledger, trail):
        commit = ledger._store.flush

        def fail() -> None:
            assert ledger._store._lines is not None
            ledger._store._lines.flush()
            raise sqlite3.OperationalError("disk I/O error")

        ledger._store.flush = fail  # type: ignore[method-assign]  # the scripted failure
        with pytest.raises(UnavailableError) as failed:
            await ledger.reserve(reservation(1, CLOCK.now()), decided)
        ledger._store.flush = commit  # type: ignore[method-assign]  # back again
        outcome = await ledger.reserve(reservation(2, CLOCK.now()), decided)
        works, head = trail.works, trail.head

    assert failed.value.reason is FailReason.LEDGER_UNAVAILABLE
    assert isinstance(outcome, Reserved)
    assert outcome.record.nonce == 0
    assert works
    assert recorded(path) == [(transaction_id(1), 0), (transaction_id(2), 0)]
    assert verify(trail_of(path), head).problem is None


async def _slot(ledger: SqliteLedger, number: int) -> Reserved:
    outcome = await ledger.reserve(reservation(number, CLOCK.now()), decided)
    assert isinstance(outcome, Reserved)
    return outcome
