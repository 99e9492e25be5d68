"""Honest swaps whose proceeds go elsewhere."""

import pytest

from protos.airlock.signer.v1 import signer_pb2 as pb
from tests.attack.harness import Arena
from tests.attack.heist import Heist
from tests.attack.market import AMOUNT_IN, Market
from tests.attack.robbery import Robbery, shows_both_halves, thief_gains
from tests.attack.works import THIEF
from tests.fakes import calldata
from tests.testbed.uniswap import ETHER

pytestmark = pytest.mark.asyncio(loop_scope="session")

MARKER_CALLER = "0x" + "00" * 19 + "01"
MARKER_ROUTER = "0x" + "00" * 19 + "02"
SOME_ABC = 900 * ETHER  # less than 2,000 USDX buy
SOME_WETH = ETHER // 2


async def _sweep(heist: Heist, _: Market) -> None:
    """Whoever comes first takes what the router holds."""
    await heist.thief_does(
        heist.world.swap_router, "sweepToken(address,uint256,address)", heist.world.weth, 0, THIEF
    )


async def _burns(heist: Heist, request: pb.SignEvmTransactionRequest, market: Market) -> None:
    """Router02 knows no markers: it pays the address itself, whose key nobody has."""
    before = await heist.balance(market.own, "USDX"), await heist.balance(market.own, "ABC")
    await heist.force(request)
    assert await heist.balance(market.own, "USDX") == before[0] - AMOUNT_IN
    assert await heist.balance(market.own, "ABC") == before[1]
    assert await heist.balance(MARKER_CALLER, "ABC") >= SOME_ABC


async def _means_the_caller_here(heist: Heist, request: pb.SignEvmTransactionRequest, market: Market) -> None:
    """SwapRouter02 pays the caller: the same word that burns elsewhere, so it is nobody."""
    before = await heist.balance(market.own, "WETH")
    await heist.force(request)
    assert await heist.balance(market.own, "WETH") - before == market.weth_out


ROBBERIES = (
    Robbery(
        name="a V2 swap paid out to the thief",
        ask=lambda market: market.swap_v2(recipient=THIEF),
        reasons={"RECIPIENT_NOT_ALLOWED"},
        harm=thief_gains("ABC", SOME_ABC),
    ),
    Robbery(
        name="a V3 swap paid out to the thief",
        ask=lambda market: market.swap_v3(calldata.multicall(market.deadline, [market.single(THIEF)])),
        reasons={"RECIPIENT_NOT_ALLOWED"},
        harm=thief_gains("WETH", SOME_WETH),
    ),
    Robbery(
        name="a V3 swap left in the router",
        ask=lambda market: market.swap_v3(
            calldata.multicall(market.deadline, [market.single(MARKER_ROUTER)])
        ),
        reasons={"RECIPIENT_NOT_ALLOWED"},
        harm=thief_gains("WETH", SOME_WETH, _sweep),
    ),
    Robbery(
        name="a V3 swap paid out to the caller by its marker",
        ask=lambda market: market.swap_v3(
            calldata.multicall(market.deadline, [market.single(MARKER_CALLER)])
        ),
        reasons={"RECIPIENT_NOT_ALLOWED"},
        harm=_means_the_caller_here,
    ),
    Robbery(
        name="a V2 swap paid out to the marker",
        ask=lambda market: market.swap_v2(recipient=MARKER_CALLER),
        reasons={"RECIPIENT_NOT_ALLOWED"},
        harm=_burns,
    ),
)


@pytest.mark.parametrize("robbery", ROBBERIES, ids=str)
async def test_a_swap_for_somebody_else_is_refused_and_would_pay_him(arena: Arena, robbery: Robbery) -> None:
    await shows_both_halves(arena, robbery)
