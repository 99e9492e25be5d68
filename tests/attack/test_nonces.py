"""Answers asked for twice, and second transactions for one nonce."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable

import grpc
import grpc.aio
import pytest

from protos.airlock.signer.v1 import signer_pb2 as pb
from tests.attack.harness import TIMEOUT_S, Arena
from tests.attack.heist import Heist
from tests.attack.market import key
from tests.attack.robbery import thief_gains
from tests.attack.works import THIEF
from tests.fakes import wire
from tests.testbed.anvil import RpcError, rpc
from tests.testbed.rpc_proxy import SEND, RpcProxy
from tests.testbed.signer_program import GWEI
from tests.testbed.uniswap import ETHER

pytestmark = pytest.mark.asyncio(loop_scope="session")

REPLAYING = 3
SOME_ABC = 900 * ETHER


async def test_a_key_used_again_with_other_content_is_refused_and_would_rob(arena: Arena) -> None:
    market = await arena.market(REPLAYING)
    honest, stolen = market.swap_v2(), market.swap_v2(recipient=THIEF)
    await arena.sign(honest)
    stolen.idempotency_key = honest.idempotency_key
    error = await arena.error(stolen)

    assert error.code() is grpc.StatusCode.ALREADY_EXISTS
    assert wire.reasons(error) == ["KEY_REUSED"]
    async with arena.heist() as heist:
        await thief_gains("ABC", SOME_ABC)(heist, stolen, market)


async def test_the_same_question_a_hundred_times_is_one_signature(arena: Arena) -> None:
    market = await arena.market(REPLAYING)
    request = market.swap_v2()
    first = await arena.sign(request)
    before = arena.ledger()
    answers = [await arena.stub.SignEvmTransaction(request, timeout=TIMEOUT_S) for _ in range(100)]

    assert {answer.raw_transaction for answer in answers} == {first.raw_transaction}
    assert arena.ledger() == before


async def test_a_second_transaction_for_a_nonce_can_name_nothing_but_fees() -> None:
    fields = {"idempotency_key", "transaction_id", "max_fee_per_gas_wei", "max_priority_fee_per_gas_wei"}

    for message in (pb.ReplaceTransactionRequest, pb.CancelTransactionRequest):
        assert {field.name for field in message.DESCRIPTOR.fields} == fields


async def test_a_replacement_is_the_same_trade_and_a_cancellation_is_none(arena: Arena) -> None:
    market = await arena.market(REPLAYING)
    request = market.swap_v2()
    first = await arena.sign(request)
    replaced = await arena.stub.ReplaceTransaction(
        pb.ReplaceTransactionRequest(**_fees(first.transaction_id, 30)), timeout=TIMEOUT_S
    )
    cancelled = await arena.stub.CancelTransaction(
        pb.CancelTransactionRequest(**_fees(replaced.transaction_id, 40)), timeout=TIMEOUT_S
    )

    assert first.nonce == replaced.nonce == cancelled.nonce
    assert request.transaction.data in replaced.raw_transaction
    assert bytes.fromhex(market.own[2:]) in cancelled.raw_transaction
    assert len(cancelled.raw_transaction) < 130  # no room for calldata


async def test_an_underpriced_replacement_is_refused_and_no_node_would_take_it(arena: Arena) -> None:
    market = await arena.market(REPLAYING)
    request = market.swap_v2()
    first = await arena.sign(request)
    before = arena.ledger()
    bump = pb.ReplaceTransactionRequest(**_fees(first.transaction_id, 21))
    error = await _refusal(arena.stub.ReplaceTransaction(bump, timeout=TIMEOUT_S))

    assert error.code() is grpc.StatusCode.PERMISSION_DENIED
    assert set(wire.reasons(error)) == {"REPLACEMENT_UNDERPRICED"}
    assert arena.ledger() == before
    async with arena.heist() as heist, _full_blocks(heist) as node_url:
        await rpc(node_url, SEND, await heist.signed(request))
        request.transaction.max_fee_per_gas_wei = str(21 * GWEI)
        with pytest.raises(RpcError, match="underpriced"):
            await rpc(node_url, SEND, await heist.signed(request))


async def test_a_replacement_at_ten_times_the_price_is_refused(arena: Arena) -> None:
    market = await arena.market(REPLAYING)
    first = await arena.sign(market.swap_v2())
    before = arena.ledger()
    bump = pb.ReplaceTransactionRequest(**_fees(first.transaction_id, 200))
    error = await _refusal(arena.stub.ReplaceTransaction(bump, timeout=TIMEOUT_S))

    assert {"GAS_PRICE_TOO_HIGH", "FEE_TOO_HIGH"} <= set(wire.reasons(error))
    assert arena.ledger() == before


async def test_of_many_replacements_at_once_one_is_signed(arena: Arena) -> None:
    market = await arena.market(REPLAYING)
    first = await arena.sign(market.swap_v2())
    bumps = [pb.ReplaceTransactionRequest(**_fees(first.transaction_id, gwei)) for gwei in range(23, 48)]
    calls = (arena.stub.ReplaceTransaction(bump, timeout=TIMEOUT_S) for bump in bumps)
    answers = await asyncio.gather(*calls, return_exceptions=True)

    refusals = [answer for answer in answers if isinstance(answer, grpc.aio.AioRpcError)]
    assert len(answers) - len(refusals) == 1
    assert {reason for error in refusals for reason in wire.reasons(error)} == {"NOT_REPLACEABLE"}


async def test_another_client_can_neither_see_nor_cancel_a_transaction(arena: Arena) -> None:
    market = await arena.market(REPLAYING)
    first = await arena.sign(market.swap_v2())
    before = arena.ledger()
    cancel = pb.CancelTransactionRequest(**_fees(first.transaction_id, 30))
    async with wire.channel(f"127.0.0.1:{arena.files.port}", arena.files.pki, "other") as connection:
        error = await _refusal(wire.signer_stub(connection).CancelTransaction(cancel, timeout=TIMEOUT_S))

    assert error.code() is grpc.StatusCode.NOT_FOUND
    assert arena.ledger() == before


def _fees(transaction_id: str, gwei: int) -> dict[str, str]:
    """Twenty gwei and a tip of one were offered first."""
    tip = GWEI * gwei // 20 if gwei < 60 else 2 * GWEI
    return {
        "idempotency_key": key(),
        "transaction_id": transaction_id,
        "max_fee_per_gas_wei": str(gwei * GWEI),
        "max_priority_fee_per_gas_wei": str(tip),
    }


@contextlib.asynccontextmanager
async def _full_blocks(heist: Heist) -> AsyncIterator[str]:
    """A node with geth's rules for replacements, while nothing is mined; its URL."""
    await heist.chain.rpc("evm_setAutomine", False)
    try:
        async with RpcProxy(heist.chain.url) as proxy:
            yield proxy.url
    finally:
        await heist.chain.rpc("anvil_dropAllTransactions")
        await heist.chain.rpc("evm_setAutomine", True)


async def _refusal(call: Awaitable[object]) -> grpc.aio.AioRpcError:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call
    return caught.value
