"""Many requests at once: a burst over the rolling cap, a flood of replacements over the fee cap."""

import asyncio
import contextlib
from collections.abc import Iterable

import grpc
import grpc.aio
import pytest

from protos.airlock.signer.v1 import signer_pb2 as pb
from tests.attack.conftest import FEE_CAP_WEI, SMALL_FEE_CAP_WEI
from tests.attack.harness import TIMEOUT_S, Arena
from tests.attack.heist import Heist
from tests.attack.market import AMOUNT_IN, Fees, Market, key
from tests.attack.sandwich import trade
from tests.fakes import wire
from tests.testbed import abi
from tests.testbed.accounts import LIQUIDITY_PROVIDER, dev_account
from tests.testbed.signer_program import GWEI
from tests.testbed.uniswap import MAX_UINT256

pytestmark = pytest.mark.asyncio(loop_scope="session")

CAP_USDX = 50 * AMOUNT_IN  # per hour, by the policy
BURST = 70
BURSTING, FLOODED, CANCELLING = 2, 4, 5
CHEAP = Fees(gas_limit=100_000, max_fee_per_gas_wei=2 * GWEI, max_priority_fee_per_gas_wei=GWEI)


async def test_a_burst_gets_exactly_the_cap_and_by_force_more(arena: Arena) -> None:
    market = await arena.market(BURSTING)
    requests = [market.swap_v2() for _ in range(BURST)]
    answers = await asyncio.gather(*map(arena.sign, requests), return_exceptions=True)

    signed = [answer for answer in answers if isinstance(answer, pb.SignEvmTransactionResponse)]
    denied = [answer for answer in answers if isinstance(answer, grpc.aio.AioRpcError)]
    assert len(signed) == CAP_USDX // AMOUNT_IN
    first = min(answer.nonce for answer in signed)
    assert sorted(answer.nonce for answer in signed) == list(range(first, first + len(signed)))
    assert all(error.code() is grpc.StatusCode.PERMISSION_DENIED for error in denied)
    assert {reason for error in denied for reason in wire.reasons(error)} == {"ROLLING_CAP_EXCEEDED"}
    assert await arena.refused(market.swap_v2()) == {"ROLLING_CAP_EXCEEDED"}
    async with arena.heist() as heist:
        assert await _usdx_spent_by_force(heist, market, requests) > CAP_USDX


async def test_a_flood_of_fees_ends_at_the_cap_and_by_force_does_not(arena: Arena) -> None:
    market = await arena.market(FLOODED)
    dearest = [raws[-1] for raws in await _flood(arena, market)]
    once_more = market.swap_v2()

    assert await arena.refused(once_more) == {"FEE_CAP_EXCEEDED"}
    async with arena.heist() as heist:
        assert 0 < await _fees_paid(heist, market, dearest) <= FEE_CAP_WEI
        assert await _fees_of(heist, once_more, times=80, base_fee_gwei=19) > FEE_CAP_WEI


async def test_a_flood_of_cancellations_ends_at_the_cap_and_by_force_does_not(arena: Arena) -> None:
    """Cheap transactions, each cancelled at the highest price: the cancellations are what costs."""
    market = await arena.market(CANCELLING)
    cancellations, refusal = await _cancelled(arena, market)

    assert wire.reasons(refusal) == ["FEE_CAP_EXCEEDED"]
    async with arena.heist() as heist:
        paid = await _fees_paid(heist, market, cancellations, base_fee_gwei=47)
        assert SMALL_FEE_CAP_WEI // 2 < paid <= SMALL_FEE_CAP_WEI
    async with arena.heist() as heist:
        empty = market.pay(market.own, 0)
        empty.transaction.gas_limit, empty.transaction.max_fee_per_gas_wei = 21_000, str(50 * GWEI)
        paid = await _fees_of(heist, empty, times=len(cancellations) + 5, base_fee_gwei=49)
        assert paid > SMALL_FEE_CAP_WEI


async def _cancelled(arena: Arena, market: Market) -> tuple[list[bytes], grpc.aio.AioRpcError]:
    """Until one is refused, with that refusal."""
    raws: list[bytes] = []
    while True:
        try:
            answer = await arena.sign(market.approve(market.world.v2_router, AMOUNT_IN, fees=CHEAP))
            cancellation = await arena.stub.CancelTransaction(
                pb.CancelTransactionRequest(
                    idempotency_key=key(),
                    transaction_id=answer.transaction_id,
                    max_fee_per_gas_wei=str(50 * GWEI),
                    max_priority_fee_per_gas_wei=str(3 * GWEI),
                ),
                timeout=TIMEOUT_S,
            )
        except grpc.aio.AioRpcError as error:
            return raws, error
        raws.append(cancellation.raw_transaction)


async def _flood(arena: Arena, market: Market) -> list[list[bytes]]:
    """New transactions until the cap refuses one; each is replaced as often and as dearly as it goes."""
    families: list[list[bytes]] = []
    while True:
        try:
            answer = await arena.sign(market.swap_v2())
        except grpc.aio.AioRpcError:
            return families
        families.append([answer.raw_transaction, *await _bumped(arena, answer.transaction_id)])


async def _bumped(arena: Arena, transaction_id: str) -> list[bytes]:
    """Copies at higher and higher fees, as far as it goes."""
    raws, fee, tip = [], 20 * GWEI, GWEI
    with contextlib.suppress(grpc.aio.AioRpcError):
        while True:
            fee, tip = fee * 115 // 100, tip * 115 // 100
            answer = await arena.stub.ReplaceTransaction(
                pb.ReplaceTransactionRequest(
                    idempotency_key=key(),
                    transaction_id=transaction_id,
                    max_fee_per_gas_wei=str(fee),
                    max_priority_fee_per_gas_wei=str(tip),
                ),
                timeout=TIMEOUT_S,
            )
            transaction_id = answer.transaction_id
            raws.append(answer.raw_transaction)
    # A cancellation costs little gas, so it is signed even now, but never above the price limit.
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await arena.stub.CancelTransaction(
            pb.CancelTransactionRequest(
                idempotency_key=key(),
                transaction_id=transaction_id,
                max_fee_per_gas_wei=str(51 * GWEI),
                max_priority_fee_per_gas_wei=str(3 * GWEI),
            ),
            timeout=TIMEOUT_S,
        )
    assert "GAS_PRICE_TOO_HIGH" in wire.reasons(caught.value)
    return raws


async def _fees_of(
    heist: Heist, request: pb.SignEvmTransactionRequest, *, times: int, base_fee_gwei: int
) -> int:
    """What it costs to force the same again and again; that it may revert makes it no cheaper."""
    paid = 0
    for _ in range(times):
        await heist.chain.rpc("anvil_setNextBlockBaseFeePerGas", hex(base_fee_gwei * GWEI))
        receipt = await heist.send_forced(request)
        paid += int(str(receipt["gasUsed"]), 16) * int(str(receipt["effectiveGasPrice"]), 16)
    return paid


async def _fees_paid(heist: Heist, market: Market, raws: Iterable[bytes], *, base_fee_gwei: int = 18) -> int:
    """What the signed bytes cost when blocks are dear."""
    before = await heist.balance(market.own, "ETH")
    for raw in raws:
        await heist.chain.rpc("anvil_setNextBlockBaseFeePerGas", hex(base_fee_gwei * GWEI))
        await heist.chain.receipt(str(await heist.send_raw(raw)))
    return before - await heist.balance(market.own, "ETH")


async def _usdx_spent_by_force(
    heist: Heist, market: Market, requests: Iterable[pb.SignEvmTransactionRequest]
) -> int:
    provider = dev_account(LIQUIDITY_PROVIDER).address
    give = abi.calldata("mint(address,uint256)", market.own, BURST * AMOUNT_IN)
    await heist.chain.send(provider, market.world.usdx, give)
    before = await heist.balance(market.own, "USDX")
    await heist.force(market.approve(market.world.v2_router, MAX_UINT256))
    for request in requests:
        await heist.force(request)
        # The market takes each purchase up again, so that the next one finds its minimum.
        await trade(heist.chain, heist.world, (market.world.abc, market.world.usdx), market.abc_out)
    return before - await heist.balance(market.own, "USDX")
