"""Money that simply leaves: by transfer, by creation, by what lies beside a swap."""

import grpc
import pytest

from protos.airlock.signer.v1 import signer_pb2 as pb
from tests.attack.harness import Arena
from tests.attack.heist import Heist
from tests.attack.market import Market, call, swap_claim
from tests.attack.robbery import Robbery, shows_both_halves, thief_gains
from tests.attack.works import FUNDS, GIVE_ALL_TO_THE_THIEF, THIEF
from tests.fakes import calldata, wire
from tests.testbed.uniswap import ETHER

pytestmark = pytest.mark.asyncio(loop_scope="session")

ALL_USDX = FUNDS["USDX"]


async def _take_what_the_router_holds(heist: Heist, _: Market) -> None:
    await heist.thief_does(heist.world.swap_router, "refundETH()")


ROBBERIES = (
    Robbery(
        name="send ETH to the thief",
        ask=lambda market: market.pay(THIEF, ETHER),
        reasons={"RECIPIENT_NOT_ALLOWED"},
        harm=thief_gains("ETH", ETHER),
    ),
    Robbery(
        name="pay a contract that pays the thief",
        ask=lambda market: market.pay(market.works.sweeper, ETHER, b"gift"),
        reasons={"CONTRACT_NOT_ALLOWED"},
        harm=thief_gains("ETH", ETHER),
    ),
    Robbery(
        name="transfer every USDX to the thief",
        ask=lambda market: market.request(
            market.world.usdx,
            call("transfer(address,uint256)", THIEF, ALL_USDX),
            swap_claim(market.world.usdx, market.world.abc, ALL_USDX, ALL_USDX),
        ),
        reasons={"NOT_UNDERSTOOD"},
        harm=thief_gains("USDX", ALL_USDX),
    ),
    Robbery(
        name="transferFrom with an allowance for oneself",
        ask=lambda market: market.request(
            market.world.weth,
            call("transferFrom(address,address,uint256)", market.own, THIEF, FUNDS["WETH"]),
            swap_claim(market.world.weth, market.world.usdx, 1, 1),
        ),
        reasons={"NOT_UNDERSTOOD"},
        harm=thief_gains("WETH", FUNDS["WETH"]),
    ),
    Robbery(
        name="leave ETH beside a swap in the router",
        ask=lambda market: market.swap_v3(
            calldata.multicall(market.deadline, [market.single()]), value_wei=ETHER
        ),
        reasons={"UNEXPECTED_VALUE"},
        harm=thief_gains("ETH", ETHER * 99 // 100, _take_what_the_router_holds),
    ),
)


@pytest.mark.parametrize("robbery", ROBBERIES, ids=str)
async def test_a_transfer_is_refused_and_would_be_theft(arena: Arena, robbery: Robbery) -> None:
    await shows_both_halves(arena, robbery)


async def test_a_contract_creation_is_malformed_and_would_be_theft(arena: Arena) -> None:
    market = await arena.market()
    request = market.pay("", ETHER, GIVE_ALL_TO_THE_THIEF)
    error = await arena.error(request)

    assert error.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert wire.bad_fields(error) == ["transaction.to"]
    async with arena.heist() as heist:
        await thief_gains("ETH", ETHER)(heist, request, market)


async def test_nothing_but_a_whole_transaction_can_be_signed() -> None:
    """No permit, no login, no raw hash: what signs is given a transaction or names an earlier one."""
    methods = pb.DESCRIPTOR.services_by_name["Signer"].methods_by_name
    signing = {name for name in methods if name.startswith(("Sign", "Replace", "Cancel"))}
    asked = {field.name for field in methods["SignEvmTransaction"].input_type.fields}

    assert signing == {
        "SignEvmTransaction",
        "SignSolanaTransaction",
        "ReplaceTransaction",
        "CancelTransaction",
    }
    assert asked == {"idempotency_key", "account", "transaction", "claim"}
