"""What a client may look at, and what it says about broadcasting."""

import asyncio
from dataclasses import replace

import pytest

from signer.domain.accounts import ChainName
from signer.domain.decisions import Approved, Denied
from signer.domain.errors import (
    InvalidRequestError,
    KeyReusedError,
    NotFoundError,
    PreconditionError,
    UnavailableError,
)
from signer.domain.reasons import DenyReason
from signer.domain.requests import EvaluateRequest
from signer.domain.slots import SlotState
from signer.domain.transactions import ClientName, IdempotencyKey, TransactionId
from signer.service.clients import Client, NotGrantedError, Role
from signer.service.path.reserve import reserve
from tests.fakes import calldata, policies
from tests.fakes.reservations import decided, reservation
from tests.fakes.signer_world import ACCOUNT, ADMIN, TRADER, own_swap, sign_request, signer_world
from tests.unit.service.test_take_over_nonce import original

STRANGER = Client(name=ClientName("spiffe://test/stranger"), role=Role.TRADER)


def judged(**changes: object) -> EvaluateRequest:
    swap = own_swap(**changes)
    return EvaluateRequest(account=ACCOUNT, payload=calldata.payload(swap), claim=policies.honest_claim(swap))


async def test_evaluate_gives_the_verdict_of_sign_and_leaves_nothing_behind() -> None:
    async with signer_world() as world:
        good = await world.services.evaluate(TRADER, judged())
        bad = await world.services.evaluate(TRADER, judged(recipient=policies.THIEF))

        assert isinstance(good.decision, Approved)
        assert good.actions[0].startswith("Swap(")
        assert isinstance(bad.decision, Denied)
        assert [violation.reason for violation in bad.decision.violations] == [
            DenyReason.RECIPIENT_NOT_ALLOWED
        ]
        assert world.backend.signed == []
        assert world.audit.records == ()
        assert all(line.used == 0 for line in (await world.services.get_budget(TRADER, ACCOUNT)).lines)


async def test_evaluate_of_a_paused_account_gives_no_verdict() -> None:
    async with signer_world() as world:
        await world.services.pause(ADMIN, ACCOUNT, "drill")

        with pytest.raises(PreconditionError):
            await world.services.evaluate(TRADER, judged())


async def test_a_reported_broadcast_moves_the_slot_once() -> None:
    async with signer_world() as world:
        record = await original(world)
        assert record.signed is not None

        first = await world.services.report_broadcast(TRADER, record.id, record.signed.hash)
        second = await world.services.report_broadcast(TRADER, record.id, record.signed.hash)

        assert first.state is SlotState.BROADCAST
        assert second == first


async def test_another_hash_is_not_believed() -> None:
    async with signer_world() as world:
        record = await original(world)

        with pytest.raises(InvalidRequestError, match="transaction_hash"):
            await world.services.report_broadcast(TRADER, record.id, "0x" + "00" * 32)


async def test_a_transaction_is_found_by_id_and_by_key_and_only_by_those_who_may() -> None:
    async with signer_world() as world:
        record = await original(world)
        get = world.services.get_transaction

        assert await get(TRADER, transaction=record.id) == record
        assert await get(TRADER, key=record.idempotency_key) == record
        for client, key in ((TRADER, "unknown-key-0000000"), (STRANGER, record.idempotency_key)):
            with pytest.raises(NotFoundError):
                await get(client, key=IdempotencyKey(key))
        with pytest.raises(NotFoundError):
            await get(STRANGER, transaction=record.id)
        with pytest.raises(NotFoundError):
            await get(TRADER, transaction=TransactionId("0" * 32))


async def test_only_granted_accounts_are_listed() -> None:
    async with signer_world() as world:
        listed = await world.services.list_accounts(TRADER, None)
        elsewhere = await world.services.list_accounts(TRADER, ChainName("eip155:1"))

        assert [account.view.account.id for account in listed] == [ACCOUNT]
        assert elsewhere == ()
        assert await world.services.list_accounts(STRANGER, None) == ()


async def test_an_account_that_the_policy_does_not_name_has_no_budget() -> None:
    async with signer_world() as world:
        world.source.text = ""
        await world.services.reload_policy(ADMIN, dry_run=False)

        assert (await world.services.get_budget(TRADER, ACCOUNT)).lines == ()
        answer = await world.services.sign_evm_transaction(TRADER, sign_request("key-0000000000000001"))
        assert isinstance(answer, Denied)
        assert answer.violations[0].reason is DenyReason.ACCOUNT_NOT_IN_POLICY


async def test_a_watch_needs_a_grant_for_the_account_it_names() -> None:
    async with signer_world() as world:
        with pytest.raises(NotGrantedError):
            await anext(world.services.watch_transactions(STRANGER, ACCOUNT, None))


async def test_a_ledger_that_closes_ends_the_watch_with_a_reason() -> None:
    async with signer_world() as world:
        await original(world)
        waiting = asyncio.ensure_future(anext(world.services.watch_transactions(TRADER, None, None)))
        await asyncio.sleep(0.05)
    with pytest.raises(UnavailableError, match="closed"):
        await waiting


async def test_a_key_that_somebody_took_since_the_look_up_reserves_nothing() -> None:
    async with signer_world() as world:
        record = await original(world)
        wanted = replace(
            reservation(1, world.clock.now()),
            account=ACCOUNT,
            client=TRADER.name,
            idempotency_key=record.idempotency_key,
        )

        with pytest.raises(KeyReusedError):
            await reserve(world.ledger, wanted, decided)


async def test_an_account_that_was_paused_since_the_look_up_reserves_nothing() -> None:
    async with signer_world() as world:
        await original(world)
        await world.ledger.pause(ACCOUNT, "drill", world.clock.now())

        with pytest.raises(PreconditionError, match="drill"):
            await reserve(world.ledger, replace(reservation(1, world.clock.now()), account=ACCOUNT), decided)
