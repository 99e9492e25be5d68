"""Replacing and cancelling: the same nonce, the newest open transaction, the difference in fee."""

import hashlib

import pytest

from signer.domain.budget import FEE
from signer.domain.decisions import Denied
from signer.domain.errors import NotFoundError
from signer.domain.reasons import DenyReason
from signer.domain.records import TransactionRecord
from signer.domain.requests import FeeBumpRequest
from signer.domain.slots import SlotState, TransactionKind
from signer.domain.transactions import ClientName, IdempotencyKey, TransactionId
from signer.service.clients import Client, Role
from tests.fakes.policies import GWEI
from tests.fakes.signer_world import ACCOUNT, ADDRESS, TRADER, SignerWorld, sign_request, signer_world


def bump(key: str, transaction: TransactionId, fee: int = 40 * GWEI, tip: int = 2 * GWEI) -> FeeBumpRequest:
    return FeeBumpRequest(
        idempotency_key=IdempotencyKey(key),
        transaction=transaction,
        max_fee_per_gas_wei=fee,
        max_priority_fee_per_gas_wei=tip,
        request_digest=hashlib.sha256(f"{key}{transaction}{fee}{tip}".encode()).hexdigest(),
    )


async def original(world: SignerWorld) -> TransactionRecord:
    record = await world.services.sign_evm_transaction(TRADER, sign_request("original-00000000"))
    assert isinstance(record, TransactionRecord)
    return record


async def fee_used(world: SignerWorld) -> int:
    budget = await world.services.get_budget(TRADER, ACCOUNT)
    return next(line.used for line in budget.lines if line.limit.resource == FEE)


async def test_a_replacement_has_the_nonce_and_payload_of_the_first_and_charges_the_difference() -> None:
    async with signer_world() as world:
        first = await original(world)

        second = await world.services.replace_transaction(TRADER, bump("bump-000000000000", first.id))

        assert isinstance(second, TransactionRecord)
        assert second.kind is TransactionKind.REPLACEMENT
        assert second.nonce == first.nonce
        assert second.unsigned.payload.data == first.unsigned.payload.data
        assert await fee_used(world) == second.unsigned.payload.worst_fee_wei


async def test_a_replacement_below_ten_percent_is_denied() -> None:
    async with signer_world() as world:
        first = await original(world)

        answer = await world.services.replace_transaction(
            TRADER, bump("bump-000000000000", first.id, fee=32 * GWEI, tip=GWEI)
        )

        assert isinstance(answer, Denied)
        assert {violation.reason for violation in answer.violations} == {DenyReason.REPLACEMENT_UNDERPRICED}


async def test_a_cancellation_moves_nothing() -> None:
    async with signer_world() as world:
        first = await original(world)

        second = await world.services.cancel_transaction(TRADER, bump("bump-000000000000", first.id))

        assert isinstance(second, TransactionRecord)
        payload = second.unsigned.payload
        assert (payload.to, payload.value_wei, payload.data) == (ADDRESS, 0, b"")
        assert second.nonce == first.nonce


async def test_only_the_newest_transaction_of_a_nonce_can_be_replaced() -> None:
    async with signer_world() as world:
        first = await original(world)
        await world.services.cancel_transaction(TRADER, bump("bump-000000000000", first.id))

        answer = await world.services.replace_transaction(
            TRADER, bump("bump-000000000001", first.id, fee=50 * GWEI)
        )

        assert isinstance(answer, Denied)
        assert {violation.reason for violation in answer.violations} == {DenyReason.NOT_REPLACEABLE}


async def test_a_replacement_asked_twice_is_one_replacement() -> None:
    async with signer_world() as world:
        first = await original(world)
        request = bump("bump-000000000000", first.id)

        second = await world.services.replace_transaction(TRADER, request)

        assert await world.services.replace_transaction(TRADER, request) == second


async def test_another_clients_transaction_does_not_exist() -> None:
    async with signer_world() as world:
        first = await original(world)
        stranger = Client(name=ClientName("spiffe://test/stranger"), role=Role.TRADER)

        with pytest.raises(NotFoundError):
            await world.services.cancel_transaction(stranger, bump("bump-000000000000", first.id))


async def test_a_final_transaction_can_not_be_replaced() -> None:
    async with signer_world() as world:
        first = await original(world)
        assert first.signed is not None
        world.chain.include(first.signed.hash, block=80)
        world.chain.latest_count, world.chain.counts[90] = 1, 1
        await world.services.follow_chain.look(ACCOUNT)

        answer = await world.services.replace_transaction(TRADER, bump("bump-000000000000", first.id))

        assert isinstance(answer, Denied)
        final = await world.services.get_transaction(TRADER, transaction=first.id)
        assert final.state is SlotState.FINAL
