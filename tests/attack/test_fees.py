"""The account's ETH, spent on inclusion: by price, by tip, by gas, and as wrapping beyond the caps."""

import pytest

from protos.airlock.signer.v1 import signer_pb2 as pb
from tests.attack.harness import Arena
from tests.attack.heist import Heist
from tests.attack.market import Fees, Market
from tests.attack.robbery import Robbery, account_loses, shows_both_halves, thief_gains
from tests.attack.works import THIEF
from tests.testbed.anvil import RpcError
from tests.testbed.signer_program import GWEI
from tests.testbed.uniswap import ETHER

pytestmark = pytest.mark.asyncio(loop_scope="session")

HIGHEST_FEE_WEI = 25 * 10**15  # of one transaction, by the policy


async def _in_a_dear_block(heist: Heist, request: pb.SignEvmTransactionRequest, market: Market) -> None:
    """The next block costs 199 gwei per gas, and the swap pays them."""
    await heist.chain.rpc("anvil_setNextBlockBaseFeePerGas", hex(199 * GWEI))
    before = await heist.balance(market.own, "ETH")
    receipt = await heist.force(request)
    paid = before - await heist.balance(market.own, "ETH")
    assert paid > int(str(receipt["gasUsed"]), 16) * 50 * GWEI


async def _thief_builds_the_block(
    heist: Heist, request: pb.SignEvmTransactionRequest, market: Market
) -> None:
    await heist.chain.rpc("anvil_setCoinbase", THIEF)
    await thief_gains("ETH", 100_000 * 15 * GWEI)(heist, request, market)


async def _all_gas_is_burnt(heist: Heist, request: pb.SignEvmTransactionRequest, market: Market) -> None:
    await heist.chain.rpc("anvil_setNextBlockBaseFeePerGas", hex(19 * GWEI))
    asked, before = request.transaction, await heist.balance(market.own, "ETH")
    receipt = await heist.send_forced(request)
    assert int(str(receipt["gasUsed"]), 16) == asked.gas_limit
    assert before - await heist.balance(market.own, "ETH") > HIGHEST_FEE_WEI


async def _no_fee_can_be_paid_any_more(
    heist: Heist, request: pb.SignEvmTransactionRequest, market: Market
) -> None:
    """All coins but the fee become WETH: what is open can be neither finished nor cancelled."""
    fee = request.transaction.gas_limit * int(request.transaction.max_fee_per_gas_wei)
    stock = int(request.transaction.value_wei) + fee
    await heist.chain.rpc("anvil_setBalance", market.own, hex(stock))
    await heist.force(request)
    with pytest.raises(RpcError, match=r"[Ii]nsufficient funds"):
        await heist.force(market.swap_v2())


ROBBERIES = (
    Robbery(
        name="ten times the gas price",
        ask=lambda market: market.swap_v2(fees=Fees(max_fee_per_gas_wei=200 * GWEI)),
        reasons={"GAS_PRICE_TOO_HIGH", "FEE_TOO_HIGH"},
        harm=_in_a_dear_block,
    ),
    Robbery(
        name="a tip for the thief's own block",
        ask=lambda market: market.swap_v2(fees=Fees(max_priority_fee_per_gas_wei=18 * GWEI)),
        reasons={"PRIORITY_FEE_TOO_HIGH"},
        harm=_thief_builds_the_block,
    ),
    Robbery(
        name="a huge gas limit for a contract that burns it",
        ask=lambda market: market.request(
            market.works.burner, b"burn", market.pay(THIEF, 0).claim, fees=Fees(gas_limit=10_000_000)
        ),
        reasons={"CONTRACT_NOT_ALLOWED", "GAS_LIMIT_TOO_HIGH", "FEE_TOO_HIGH"},
        harm=_all_gas_is_burnt,
    ),
    Robbery(
        name="wrap more than a trade may give",
        ask=lambda market: market.deposit(3 * ETHER),
        reasons={"AMOUNT_TOO_HIGH"},
        harm=_no_fee_can_be_paid_any_more,
    ),
    Robbery(
        name="unwrap more than a trade may give",
        ask=lambda market: market.withdraw(20 * ETHER),
        reasons={"AMOUNT_TOO_HIGH"},
        harm=account_loses("WETH", 2 * ETHER),
    ),
)


@pytest.mark.parametrize("robbery", ROBBERIES, ids=str)
async def test_a_waste_is_refused_and_would_be_paid(arena: Arena, robbery: Robbery) -> None:
    await shows_both_halves(arena, robbery)


async def test_a_gas_limit_that_a_listed_swap_never_needs_is_refused(arena: Arena) -> None:
    market = await arena.market()

    assert await arena.refused(market.swap_v2(fees=Fees(gas_limit=10_000_000))) == {
        "GAS_LIMIT_TOO_HIGH",
        "FEE_TOO_HIGH",
    }
