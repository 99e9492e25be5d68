"""The path of a signature: what reaches the key, what is given back, what is answered twice."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from typing import NoReturn

import pytest
from typing_extensions import override

from signer.adapters.audit_file import MemoryAudit
from signer.domain.actions import NativeTransfer
from signer.domain.budget import token_resource
from signer.domain.decisions import Denied
from signer.domain.errors import (
    BrokenError,
    KeyReusedError,
    NotFoundError,
    PreconditionError,
    RejectedError,
    UnavailableError,
)
from signer.domain.reasons import DenyReason, FailReason
from signer.domain.records import TransactionRecord
from signer.domain.requests import SignRequest
from signer.domain.slots import SlotState
from signer.domain.transactions import ClientName
from signer.ports.audit import AuditRecord
from signer.service.clients import Client, NotGrantedError, Role
from tests.fakes import policies
from tests.fakes.clock import FakeClock
from tests.fakes.signer_world import (
    ACCOUNT,
    ADMIN,
    OTHER_KEY,
    TRADER,
    SignerWorld,
    own_swap,
    sign_request,
    signer_world,
)

KEY = "key-0000000000000001"


async def sign(
    world: SignerWorld, request: SignRequest, client: Client = TRADER
) -> TransactionRecord | Denied:
    return await world.services.sign_evm_transaction(client, request)


async def signed(world: SignerWorld, key: str = KEY) -> TransactionRecord:
    record = await sign(world, sign_request(key))
    assert isinstance(record, TransactionRecord)
    return record


async def test_an_allowed_swap_is_signed_on_the_next_nonce() -> None:
    async with signer_world() as world:
        world.chain.latest_count = 7

        record = await signed(world)

        assert record.state is SlotState.SIGNED
        assert record.nonce == 7
        assert record.signed is not None
        assert [entry.verdict for entry in world.audit.records] == ["approved"]


async def test_a_denied_request_never_reaches_the_key_and_takes_no_nonce() -> None:
    async with signer_world() as world:
        theft = own_swap(recipient=policies.THIEF)

        answer = await sign(world, sign_request(KEY, theft))

        assert isinstance(answer, Denied)
        assert [violation.reason for violation in answer.violations] == [DenyReason.RECIPIENT_NOT_ALLOWED]
        assert world.backend.signed == []
        status = await world.ledger.account(ACCOUNT)
        assert status is not None
        assert status.next_nonce == 0
        assert [entry.verdict for entry in world.audit.records] == ["denied"]


async def test_every_violation_is_reported_rolling_caps_included() -> None:
    async with signer_world() as world:
        for number in range(3):
            await signed(world, f"earlier-{number:016d}")

        answer = await sign(world, sign_request(KEY, own_swap(recipient=policies.THIEF)))

        assert isinstance(answer, Denied)
        reasons = {violation.reason for violation in answer.violations}
        assert reasons == {DenyReason.RECIPIENT_NOT_ALLOWED, DenyReason.ROLLING_CAP_EXCEEDED}


async def test_the_rolling_cap_holds_against_any_number_at_once() -> None:
    async with signer_world() as world:
        requests = [sign_request(f"key-{number:016d}") for number in range(20)]

        answers = await asyncio.gather(*(sign(world, request) for request in requests))

        granted = [answer for answer in answers if isinstance(answer, TransactionRecord)]
        assert sorted(record.nonce for record in granted) == [0, 1, 2]
        refused = [answer for answer in answers if isinstance(answer, Denied)]
        assert {v.reason for answer in refused for v in answer.violations} == {
            DenyReason.ROLLING_CAP_EXCEEDED
        }


async def test_the_same_key_and_content_is_signed_once_however_often_it_is_asked() -> None:
    async with signer_world() as world:
        answers = await asyncio.gather(*(signed(world) for _ in range(10)))

        assert len(world.backend.signed) == 1
        assert len({answer.id for answer in answers}) == 1
        assert await signed(world) == answers[0]


async def test_the_same_key_with_other_content_is_refused_while_in_flight_and_after() -> None:
    async with signer_world() as world:
        gate = asyncio.Event()

        async def wait() -> None:
            await gate.wait()

        world.backend.before = wait
        first = asyncio.create_task(signed(world))
        await asyncio.sleep(0.05)
        with pytest.raises(KeyReusedError):
            await sign(world, sign_request(KEY, own_swap(amount_in=1)))
        gate.set()
        await first

        with pytest.raises(KeyReusedError):
            await sign(world, sign_request(KEY, own_swap(amount_in=1)))


async def test_another_client_may_use_the_same_key() -> None:
    async with signer_world() as world:
        other = Client(name=ClientName("spiffe://test/other"), role=Role.TRADER, grants=TRADER.grants)

        first = await signed(world)
        second = await sign(world, sign_request(KEY), other)

        assert isinstance(second, TransactionRecord)
        assert second.id != first.id


async def test_a_client_without_a_grant_learns_nothing() -> None:
    async with signer_world() as world:
        stranger = Client(name=ClientName("spiffe://test/stranger"), role=Role.TRADER)

        with pytest.raises(NotGrantedError):
            await sign(world, sign_request(KEY), stranger)


async def test_a_client_that_goes_away_does_not_undo_its_signature() -> None:
    async with signer_world() as world:
        gate = asyncio.Event()

        async def wait() -> None:
            await gate.wait()

        world.backend.before = wait
        caller = asyncio.create_task(signed(world))
        await asyncio.sleep(0.05)
        caller.cancel()
        gate.set()
        await world.services.replay.drain()

        record = await world.ledger.find(TRADER.name, sign_request(KEY).idempotency_key)

        assert record is not None
        assert record.state is SlotState.SIGNED


async def test_a_backend_that_is_away_costs_no_nonce_and_the_key_may_be_tried_again() -> None:
    async with signer_world() as world:

        async def away() -> None:
            raise UnavailableError(FailReason.KEY_BACKEND_UNREACHABLE, "the device is unplugged")

        async def back() -> None:
            return

        world.backend.before = away
        with pytest.raises(UnavailableError):
            await signed(world)
        world.backend.before = back

        record = await signed(world)

        assert record.nonce == 0
        budget = await world.services.get_budget(TRADER, ACCOUNT)
        spent = {line.limit.resource: line.used for line in budget.lines if line.limit.window_s == 3_600}
        assert spent[token_resource(policies.WETH)] == policies.SWAP.amount_in


async def test_a_persons_no_is_a_denial_that_is_recorded_and_costs_no_nonce() -> None:
    async with signer_world() as world:

        async def says_no() -> None:
            raise RejectedError(DenyReason.REJECTED_ON_DEVICE, "rejected on the device")

        async def says_yes() -> None:
            return

        world.backend.before = says_no
        answer = await sign(world, sign_request(KEY))
        world.backend.before = says_yes
        record = await signed(world)

        assert isinstance(answer, Denied)
        assert [violation.reason for violation in answer.violations] == [DenyReason.REJECTED_ON_DEVICE]
        assert record.nonce == 0


async def test_a_signature_by_another_key_is_destroyed_and_its_slot_reused() -> None:
    async with signer_world() as world:
        right, world.backend.key = world.backend.key, OTHER_KEY
        with pytest.raises(BrokenError):
            await signed(world)
        world.backend.key = right

        assert (await signed(world)).nonce == 0


async def test_nothing_is_signed_that_the_audit_trail_does_not_hold() -> None:
    class BrokenAudit(MemoryAudit):
        @override
        def stage(self, records: Sequence[AuditRecord]) -> NoReturn:
            raise UnavailableError(FailReason.AUDIT_UNAVAILABLE, f"disk full at {records[0].at}")

    async with signer_world(audit=BrokenAudit(FakeClock())) as world:
        with pytest.raises(UnavailableError):
            await signed(world)

        assert world.backend.signed == []
        assert await world.ledger.find(TRADER.name, sign_request(KEY).idempotency_key) is None


async def test_a_pause_during_the_signature_destroys_it() -> None:
    async with signer_world() as world:

        async def pause() -> None:
            await world.services.pause(ADMIN, ACCOUNT, "drill")

        world.backend.before = pause
        with pytest.raises(PreconditionError):
            await signed(world)

        assert await world.ledger.find(TRADER.name, sign_request(KEY).idempotency_key) is None


async def test_a_paused_account_signs_nothing_until_it_is_resumed() -> None:
    async with signer_world() as world:
        assert await world.services.pause(ADMIN, None, "drill") == (ACCOUNT,)
        with pytest.raises(PreconditionError, match="drill"):
            await signed(world)

        assert await world.services.resume(ADMIN, None) == ()
        assert (await signed(world)).nonce == 0


async def test_a_signature_that_came_too_late_is_judged_again_and_destroyed() -> None:
    async with signer_world() as world:

        async def slow_person() -> None:
            world.clock.advance_s(90)

        world.backend.before = slow_person
        answer = await sign(world, sign_request(KEY))

        assert isinstance(answer, Denied)
        assert {violation.reason for violation in answer.violations} >= {DenyReason.QUOTE_TOO_OLD}
        assert [entry.verdict for entry in world.audit.records] == ["approved", "denied"]
        status = await world.ledger.account(ACCOUNT)
        assert status is not None
        assert status.next_nonce == 0


async def test_no_view_of_the_chain_means_no_verdict() -> None:
    async with signer_world() as world:
        await world.services.accounts.ensure_open(ACCOUNT)
        world.chain.away = True

        with pytest.raises(UnavailableError):
            await signed(world)


async def test_a_node_of_another_chain_is_not_believed() -> None:
    async with signer_world() as world:
        world.chain.id = 1

        with pytest.raises(BrokenError, match="chain 1, not on 31337"):
            await signed(world)


async def test_no_reference_price_means_no() -> None:
    async with signer_world() as world:
        world.reference.amount_out = None

        answer = await sign(world, sign_request(KEY))

        assert isinstance(answer, Denied)
        assert [violation.reason for violation in answer.violations] == [DenyReason.NO_REFERENCE_PRICE]


async def test_a_transfer_asks_for_no_price() -> None:
    async with signer_world() as world:
        transfer = NativeTransfer(recipient=policies.SAVINGS, amount_wei=1)

        answer = await sign(world, sign_request(KEY, transfer))

        assert isinstance(answer, TransactionRecord)
        assert world.reference.asked == []


async def test_draining_refuses_new_work_and_waits_for_the_old() -> None:
    async with signer_world() as world:
        await signed(world)
        await world.services.replay.drain()

        with pytest.raises(UnavailableError, match="shutting down"):
            await signed(world, "key-0000000000000002")


async def test_an_account_of_nobody_is_not_found() -> None:
    async with signer_world() as world:
        nobody = policies.ACCOUNT
        client = replace(TRADER, grants={nobody: frozenset({"SignEvmTransaction"})})

        with pytest.raises(NotFoundError):
            await sign(world, replace(sign_request(KEY), account=nobody), client)
