"""Requests before a person: judged three times, one dialog at a time, one end each, and nothing is kept."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass

import pytest

from signer.domain.accounts import AccountState
from signer.domain.actions import Swap
from signer.domain.decisions import Denied
from signer.domain.errors import PreconditionError, RejectedError, UnavailableError
from signer.domain.reasons import DenyReason, FailReason
from signer.domain.records import TransactionRecord
from signer.domain.slots import SlotState
from signer.domain.transactions import IdempotencyKey, TransactionId
from signer.ports.device import DevicePhase
from signer.service.approvals.approval import ApprovalView
from signer.service.approvals.approvals import WAITING_MAX
from signer.service.cancel_transaction import GivenUp
from tests.fakes import policies
from tests.fakes.fake_device import FakeDevice
from tests.fakes.signer_world import (
    ACCOUNT,
    ADMIN,
    TRADER,
    SignerWorld,
    own_swap,
    sign_request,
    signer_world,
)
from tests.unit.service.test_take_over_nonce import bump

Asked = asyncio.Task[TransactionRecord | Denied]


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """A signer with a person."""

    world: SignerWorld
    device: FakeDevice

    def ask(self, number: int, swap: Swap | None = None) -> Asked:
        request = sign_request(f"key-{number:012d}", patient_swap() if swap is None else swap)
        return asyncio.ensure_future(self.world.services.sign_evm_transaction(TRADER, request))

    async def until(self, seen: Callable[[], bool]) -> None:
        async with asyncio.timeout(60):
            while not seen():  # noqa: ASYNC110 - no event tells of it
                await asyncio.sleep(0.001)

    async def shown(self, count: int = 1) -> None:
        """Wait until the person has seen so many requests."""
        await self.until(lambda: len(self.device.shown) == count)

    @property
    def waiting(self) -> tuple[ApprovalView, ...]:
        return self.world.services.approvals.waiting()

    def id(self, number: int) -> TransactionId:
        return self.waiting[number].wanted.id

    async def reasons(self, asked: Asked) -> tuple[str, ...]:
        answer = await asked
        assert isinstance(answer, Denied)
        return tuple(violation.reason for violation in answer.violations)

    async def nothing_is_held(self) -> None:
        """No nonce and no budget, and the next request gets the first nonce."""
        status = await self.world.ledger.account(ACCOUNT)
        assert status is not None
        assert (status.next_nonce, status.free_nonces) == (0, ())
        assert not self.waiting
        budget = await self.world.services.get_budget(TRADER, ACCOUNT)
        assert {line.used for line in budget.lines} == {0}


def patient_swap() -> Swap:
    """A swap whose deadline leaves a person all the time that the policy allows."""
    return own_swap(deadline=policies.NOW // 1000 + 110)


@asynccontextmanager
async def desk() -> AsyncIterator[Desk]:
    device = FakeDevice()
    async with signer_world(keys=device) as world:
        yield Desk(world=world, device=device)


async def test_what_a_person_confirms_is_signed_and_durable() -> None:
    async with desk() as there:
        asked = there.ask(0)
        await there.shown()
        there.device.press()

        record = await asked

        assert isinstance(record, TransactionRecord)
        assert record.state is SlotState.SIGNED
        assert there.waiting == ()
        assert [outcome.verdict for outcome in there.world.services.approvals.outcomes()] == ["signed"]


async def test_what_the_policy_denies_is_never_shown() -> None:
    async with desk() as there:
        there.world.reference.amount_out = 2_000_000

        reasons = await there.reasons(there.ask(0))

        assert reasons == (DenyReason.SLIPPAGE_TOO_HIGH,)
        assert there.device.shown == []
        assert there.world.services.approvals.outcomes() == ()


async def test_requests_are_shown_one_at_a_time_in_order_and_the_queued_hold_no_nonce() -> None:
    async with desk() as there:
        asked = [there.ask(number) for number in range(3)]
        await there.until(lambda: len(there.waiting) == 3)
        await there.shown()

        status = await there.world.ledger.account(ACCOUNT)
        assert status is not None
        assert status.next_nonce == 1
        assert [view.phase for view in there.waiting] == [
            DevicePhase.WAITING_FOR_CONFIRMATION,
            DevicePhase.QUEUED,
            DevicePhase.QUEUED,
        ]
        assert [view.message for view in there.waiting] == [
            "screen 1 of 1",
            "1 before this one",
            "2 before this one",
        ]

        for number in range(3):
            await there.shown(number + 1)
            there.device.press()
        records = await asyncio.gather(*asked)
        assert [record.nonce for record in records if isinstance(record, TransactionRecord)] == [0, 1, 2]


async def test_a_rejection_gives_the_nonce_to_the_next_in_the_queue() -> None:
    async with desk() as there:
        first, second = there.ask(0), there.ask(1)
        await there.shown()
        there.device.press(RejectedError(DenyReason.REJECTED_ON_DEVICE, "the person said no"))
        reasons = await there.reasons(first)
        await there.shown(2)
        there.device.press()

        record = await second

        assert reasons == (DenyReason.REJECTED_ON_DEVICE,)
        assert isinstance(record, TransactionRecord)
        assert record.nonce == 0


async def test_a_price_that_moved_while_the_person_read_destroys_the_signature() -> None:
    async with desk() as there:
        asked = there.ask(0)
        await there.shown()
        there.world.reference.amount_out = 2_000_000
        there.device.press()

        assert await there.reasons(asked) == (DenyReason.SLIPPAGE_TOO_HIGH,)
        assert len(there.device.confirmed) == 1
        await there.nothing_is_held()


async def test_a_price_that_moved_in_the_queue_is_never_shown() -> None:
    async with desk() as there:
        first, second = there.ask(0), there.ask(1)
        await there.until(lambda: len(there.waiting) == 2)
        await there.shown()
        there.world.reference.amount_out = 2_000_000
        there.device.press(RejectedError(DenyReason.REJECTED_ON_DEVICE, "no"))
        await first

        assert await there.reasons(second) == (DenyReason.SLIPPAGE_TOO_HIGH,)
        assert len(there.device.shown) == 1


async def test_the_time_that_a_person_takes_is_no_age_of_the_quote() -> None:
    async with desk() as there:
        asked = there.ask(0)
        await there.shown()
        there.world.clock.advance_s(60)
        there.device.press()

        assert isinstance(await asked, TransactionRecord)


async def test_a_quote_that_was_old_when_it_was_asked_is_refused_all_the_same() -> None:
    async with desk() as there:
        there.world.clock.advance_s(11)

        assert await there.reasons(there.ask(0)) == (DenyReason.QUOTE_TOO_OLD,)


async def test_a_signature_after_the_end_of_its_time_is_destroyed() -> None:
    async with desk() as there:
        asked = there.ask(0)
        await there.shown()
        there.world.clock.advance_s(90)
        there.device.press()

        assert await there.reasons(asked) == (DenyReason.NOT_CONFIRMED_IN_TIME,)
        await there.nothing_is_held()


async def test_what_waited_in_the_queue_too_long_is_never_shown() -> None:
    async with desk() as there:
        first, second = there.ask(0), there.ask(1)
        await there.until(lambda: len(there.waiting) == 2)
        await there.shown()
        there.world.clock.advance_s(90)
        there.device.press()
        await first

        assert await there.reasons(second) == (DenyReason.NOT_CONFIRMED_IN_TIME,)
        assert len(there.device.shown) == 1
        await there.nothing_is_held()


async def test_a_shutdown_takes_the_dialog_off_and_signs_nothing() -> None:
    async with desk() as there:
        asked = there.ask(0)
        await there.shown()
        there.world.services.approvals.close()

        with pytest.raises(UnavailableError, match="shutting down"):
            await asked
        assert there.device.taken_off == 1
        await there.nothing_is_held()


async def test_a_deadline_that_leaves_no_time_to_read_is_refused_at_once() -> None:
    async with desk() as there:
        swap = own_swap(deadline=policies.NOW // 1000 + 18)

        assert await there.reasons(there.ask(0, swap)) == (DenyReason.DEADLINE_TOO_SOON,)
        assert there.device.shown == []


async def test_a_pause_takes_the_dialog_off_and_signs_nothing() -> None:
    async with desk() as there:
        first, second = there.ask(0), there.ask(1)
        await there.shown()

        await there.world.services.pause(ADMIN, ACCOUNT, "drill")

        for asked in (first, second):
            with pytest.raises(PreconditionError, match="drill"):
                await asked
        assert there.device.taken_off == 1
        await there.nothing_is_held()


async def test_a_client_gives_up_what_is_before_the_person() -> None:
    async with desk() as there:
        asked = there.ask(0)
        await there.shown()

        answer = await there.world.services.cancel_transaction(TRADER, bump("cancel-0000000000", there.id(0)))

        assert isinstance(answer, GivenUp)
        assert await there.reasons(asked) == (DenyReason.GIVEN_UP,)
        assert there.device.taken_off == 1
        await there.nothing_is_held()


async def test_a_client_gives_up_what_is_queued_and_asks_twice() -> None:
    async with desk() as there:
        first, second = there.ask(0), there.ask(1)
        await there.until(lambda: len(there.waiting) == 2)
        await there.shown()
        cancel = bump("cancel-0000000000", there.id(1))

        answers = [await there.world.services.cancel_transaction(TRADER, cancel) for _ in range(2)]

        assert all(isinstance(answer, GivenUp) for answer in answers)
        assert await there.reasons(second) == (DenyReason.GIVEN_UP,)
        there.device.press()
        assert isinstance(await first, TransactionRecord)


async def test_giving_up_too_late_cancels_the_nonce_by_a_transaction_that_a_person_confirms() -> None:
    async with desk() as there:
        asked = there.ask(0)
        await there.shown()
        there.device.press()
        record = await asked
        assert isinstance(record, TransactionRecord)

        cancelling = asyncio.ensure_future(
            there.world.services.cancel_transaction(TRADER, bump("cancel-0000000000", record.id))
        )
        await there.shown(2)
        there.device.press()

        answer = await cancelling
        assert isinstance(answer, TransactionRecord)
        assert (answer.nonce, answer.replaces) == (record.nonce, record.id)


async def test_a_device_that_is_lost_in_mid_review_stops_the_account_until_somebody_looked() -> None:
    async with desk() as there:
        first, second = there.ask(0), there.ask(1)
        await there.shown()
        lost = PreconditionError(FailReason.DEVICE_OUTCOME_UNKNOWN, "lost while the person reads")
        there.device.press(lost)

        with pytest.raises(PreconditionError, match="lost while"):
            await first
        with pytest.raises(PreconditionError, match="mid-review"):
            await second
        assert len(there.device.shown) == 1
        assert there.world.services.accounts.state(ACCOUNT) is AccountState.PAUSED
        status = await there.world.ledger.account(ACCOUNT)
        assert status is not None
        assert "mid-review" in status.reason
        await there.nothing_is_held()

        await there.world.services.resume(ADMIN, ACCOUNT)
        again = there.ask(2)
        await there.shown(2)
        there.device.press()
        assert isinstance(await again, TransactionRecord)


async def test_the_same_key_joins_what_waits_instead_of_a_second_dialog() -> None:
    async with desk() as there:
        first, same = there.ask(0), there.ask(0)
        await there.shown()
        there.device.press()

        records = await asyncio.gather(first, same)

        assert records[0] == records[1]
        assert len(there.device.shown) == 1


async def test_what_waits_is_neither_known_nor_unknown_by_its_key() -> None:
    async with desk() as there:
        first, second = there.ask(0), there.ask(1)
        await there.until(lambda: len(there.waiting) == 2)
        await there.shown()

        for number in range(2):
            with pytest.raises(UnavailableError, match="worked on"):
                await there.world.services.get_transaction(TRADER, key=IdempotencyKey(f"key-{number:012d}"))
        there.device.press()
        await there.shown(2)
        there.device.press()
        for asked, number in ((first, 0), (second, 1)):
            record = await asked
            key = IdempotencyKey(f"key-{number:012d}")
            assert await there.world.services.get_transaction(TRADER, key=key) == record


async def test_a_queue_has_an_end() -> None:
    async with desk() as there:
        asked = [there.ask(number) for number in range(WAITING_MAX + 1)]
        await there.until(lambda: any(each.done() for each in asked))

        with pytest.raises(UnavailableError, match="answer those first"):
            await next(each for each in asked if each.done())
        there.world.services.approvals.close()
        await asyncio.gather(*asked, return_exceptions=True)


async def test_a_watcher_hears_how_far_the_person_is() -> None:
    async with desk() as there:
        asked = there.ask(0)
        await there.shown()
        heard: list[tuple[DevicePhase, str]] = []
        async with aclosing(there.world.services.watch_transactions(TRADER, ACCOUNT, None)) as changes:
            async for change in changes:
                if not isinstance(change, ApprovalView):
                    continue
                heard.append((change.phase, change.message))
                if change.phase is DevicePhase.WAITING_FOR_CONFIRMATION:
                    there.device.press()
                if change.phase is DevicePhase.ENDED:
                    break

        assert isinstance(await asked, TransactionRecord)
        assert heard == [
            (DevicePhase.WAITING_FOR_CONFIRMATION, "screen 1 of 1"),
            (DevicePhase.CONFIRMED, ""),
            (DevicePhase.ENDED, ""),
        ]


async def test_a_denial_by_a_person_is_in_the_audit_trail() -> None:
    async with desk() as there:
        asked = there.ask(0)
        await there.shown()
        there.device.press(RejectedError(DenyReason.REJECTED_ON_DEVICE, "the person said no"))
        await there.reasons(asked)

        assert [record.verdict for record in there.world.audit.records] == ["approved", "denied"]
        assert "REJECTED_ON_DEVICE" in there.world.audit.records[-1].details[0]
