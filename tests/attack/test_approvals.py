"""Allowances: a signature today, a theft at any later time."""

from collections.abc import Awaitable, Callable

import pytest

from protos.airlock.signer.v1 import signer_pb2 as pb
from tests.attack.harness import Arena
from tests.attack.heist import Heist
from tests.attack.market import AMOUNT_IN, Market
from tests.attack.robbery import Robbery, account_loses, shows_both_halves, thief_gains
from tests.attack.works import FUNDS, THIEF
from tests.fakes import calldata
from tests.testbed.uniswap import MAX_UINT256, USDX_UNIT

pytestmark = pytest.mark.asyncio(loop_scope="session")

ALL_USDX = FUNDS["USDX"]


def _take(amount: int) -> Callable[[Heist, Market], Awaitable[None]]:
    async def take(heist: Heist, market: Market) -> None:
        usdx = heist.world.usdx
        await heist.thief_does(usdx, "transferFrom(address,address,uint256)", market.own, THIEF, amount)

    return take


async def _no_cap_holds_any_more(heist: Heist, request: pb.SignEvmTransactionRequest, market: Market) -> None:
    """With it, one swap takes the whole stock at whatever price; without it, the same swap fails."""
    everything = market.swap_v2(amount_in=ALL_USDX, minimum_out=0)
    with pytest.raises(AssertionError, match="reverted"):
        await heist.force(everything)
    await heist.force(request)
    assert await heist.allowance(market.own, "USDX", heist.world.v2_router) == MAX_UINT256
    await account_loses("USDX", ALL_USDX - 1)(heist, everything, market)


ROBBERIES = (
    Robbery(
        name="approve the router without limit",
        ask=lambda market: market.approve(market.world.v2_router, MAX_UINT256),
        reasons={"APPROVAL_TOO_HIGH"},
        harm=_no_cap_holds_any_more,
    ),
    Robbery(
        name="approve the thief without limit",
        ask=lambda market: market.approve(THIEF, MAX_UINT256),
        reasons={"SPENDER_NOT_ALLOWED", "APPROVAL_TOO_HIGH"},
        harm=thief_gains("USDX", ALL_USDX, _take(ALL_USDX)),
    ),
    Robbery(
        name="approve the thief for a single dollar",
        ask=lambda market: market.approve(THIEF, USDX_UNIT),
        reasons={"SPENDER_NOT_ALLOWED"},
        harm=thief_gains("USDX", USDX_UNIT, _take(USDX_UNIT)),
    ),
    Robbery(
        name="approve one unit more than the policy allows",
        ask=lambda market: market.approve(market.world.v2_router, AMOUNT_IN + 1),
        reasons={"APPROVAL_TOO_HIGH"},
        harm=lambda heist, request, market: _allowed(heist, request, market, AMOUNT_IN + 1),
    ),
    Robbery(
        name="claim an approval of one unit and encode another",
        ask=lambda market: market.approve(market.world.v2_router, AMOUNT_IN, claimed=1),
        reasons={"CLAIM_MISMATCH"},
        harm=lambda heist, request, market: _allowed(heist, request, market, AMOUNT_IN),
    ),
    Robbery(
        name="approve the thief behind the words of an honest approval",
        # The chain reads the first two words, a parser from the end the last two.
        ask=lambda market: market.request(
            market.world.usdx,
            calldata.approve(THIEF, MAX_UINT256) + calldata.approve(market.world.v2_router, 1)[4:],
            market.approve(market.world.v2_router, 1).claim,
        ),
        reasons={"NOT_UNDERSTOOD"},
        harm=thief_gains("USDX", ALL_USDX, _take(ALL_USDX)),
    ),
)


async def _allowed(heist: Heist, request: pb.SignEvmTransactionRequest, market: Market, amount: int) -> None:
    await heist.force(request)
    assert await heist.allowance(market.own, "USDX", heist.world.v2_router) == amount


@pytest.mark.parametrize("robbery", ROBBERIES, ids=str)
async def test_an_approval_is_refused_and_would_be_used(arena: Arena, robbery: Robbery) -> None:
    await shows_both_halves(arena, robbery)
