"""Followers of the ledger hear every durable change once, in order."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from signer.adapters.sqlite import SqliteLedger
from signer.domain.events import Cursor, TransactionEvent
from signer.domain.slots import SlotState
from tests.fakes.clock import FakeClock
from tests.fakes.reservations import ACCOUNT, payload_hash, reservation, signed, transaction_id

CLOCK = FakeClock()


@pytest.fixture(params=["file", "memory"])
async def ledger(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[SqliteLedger]:
    path = tmp_path / "ledger.db" if request.param == "file" else None
    async with SqliteLedger(path, CLOCK) as opened:
        await opened.open_account(ACCOUNT, 0, CLOCK.now())
        yield opened


async def _sign(ledger: SqliteLedger, number: int) -> None:
    await ledger.reserve(reservation(number, CLOCK.now()))
    await ledger.mark_signed(transaction_id(number), signed(number), payload_hash(number), CLOCK.now())


async def _take(events: AsyncIterator[TransactionEvent], count: int) -> list[TransactionEvent]:
    return [await anext(events) for _ in range(count)]


async def test_events_before_and_after_the_start_come_in_order(ledger: SqliteLedger) -> None:
    await _sign(ledger, 1)
    events = ledger.events(Cursor(0))
    past = await _take(events, 2)
    waiting = asyncio.ensure_future(_take(events, 200))
    await asyncio.gather(*(_sign(ledger, number) for number in range(2, 102)))
    live = await waiting

    assert [(event.previous, event.state) for event in past] == [
        (None, SlotState.RESERVED),
        (SlotState.RESERVED, SlotState.SIGNED),
    ]
    assert past[1].record == await ledger.get(transaction_id(1))
    assert [event.cursor for event in past + live] == list(range(1, 203))


async def test_no_cursor_begins_with_the_next_change(ledger: SqliteLedger) -> None:
    await _sign(ledger, 1)
    events = ledger.events(None)
    await _sign(ledger, 2)
    first = await anext(events)

    assert first.record.id == transaction_id(2)


async def test_every_follower_hears_everything(ledger: SqliteLedger) -> None:
    followers = [asyncio.ensure_future(_take(ledger.events(Cursor(0)), 20)) for _ in range(3)]
    await asyncio.gather(*(_sign(ledger, number) for number in range(10)))
    heard = await asyncio.gather(*followers)

    assert heard[0] == heard[1] == heard[2]


async def test_a_closing_ledger_ends_every_subscription(tmp_path: Path) -> None:
    async with SqliteLedger(tmp_path / "ledger.db", CLOCK) as ledger:
        await ledger.open_account(ACCOUNT, 0, CLOCK.now())
        waiting = asyncio.ensure_future(anext(ledger.events(None), None))
        await asyncio.sleep(0)

    assert await waiting is None
