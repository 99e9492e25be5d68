"""Swaps at a price that nobody would want: too little out, too late, through somebody else's pool."""

import pytest

from protos.airlock.signer.v1 import signer_pb2 as pb
from protos.airlock.signer.v1 import types_pb2 as types
from tests.attack.harness import Arena
from tests.attack.heist import Heist
from tests.attack.market import (
    AMOUNT_IN,
    BPS,
    MINIMUM_BPS,
    Market,
    call,
    least,
    quote_v2,
    quote_v3,
    swap_claim,
    wrap_claim,
)
from tests.attack.robbery import Harm, Robbery, account_loses, shows_both_halves, thief_gains
from tests.attack.sandwich import squeeze
from tests.attack.works import THIEF
from tests.testbed.uniswap import ETHER, FOREVER, USDX_UNIT

pytestmark = pytest.mark.asyncio(loop_scope="session")

A_DAY_S, AN_HOUR_S, A_YEAR_S = 86_400, 3_600, 365 * 86_400


def _sandwiched(symbol: str, *, later_s: int = 0, market_moves_bps: int = 0, thief_moves_bps: int) -> Harm:
    """Time passes, the market moves by itself, then the thief moves it against the swap.

    The account gets less than its 50 bps below what the same USDX were worth a moment before.
    """

    async def harm(heist: Heist, request: pb.SignEvmTransactionRequest, market: Market) -> None:
        if later_s:
            await heist.later(later_s)
        if market_moves_bps:
            await heist.move(market_moves_bps, symbol)
        fair = await _worth(heist, symbol)
        await heist.move(thief_moves_bps, symbol)
        received = await _received(heist, request, market, symbol)
        assert received * BPS < fair * MINIMUM_BPS, f"{received} for a fair {fair}"

    return harm


async def _squeezed_to_its_minimum(
    heist: Heist, request: pb.SignEvmTransactionRequest, market: Market
) -> None:
    """One basis point below the limit is one basis point more than the account may lose."""
    path = (market.world.usdx, market.world.abc)
    minimum = int(request.claim.swap.minimum_out)
    fair = await _worth(heist, "ABC")
    assert await squeeze(heist.chain, heist.world, path, AMOUNT_IN, minimum) > 0
    received = await _received(heist, request, market, "ABC")
    assert minimum <= received
    assert received * BPS < fair * MINIMUM_BPS


async def _worth(heist: Heist, symbol: str) -> int:
    path = (heist.world.usdx, heist.world.token(symbol))
    quote = quote_v2 if symbol == "ABC" else quote_v3
    return await quote(heist.chain, heist.world, AMOUNT_IN, path)


async def _received(heist: Heist, request: pb.SignEvmTransactionRequest, market: Market, symbol: str) -> int:
    before = await heist.balance(market.own, symbol)
    await heist.force(request)
    return await heist.balance(market.own, symbol) - before


async def _thief_empties_his_pools(heist: Heist, market: Market) -> None:
    signature = "swapExactTokensForTokens(uint256,uint256,address[],address,uint256)"
    path = [market.works.junk, market.world.usdx]
    await heist.thief_does(market.world.v2_router, signature, 10**6 * ETHER, 0, path, THIEF, FOREVER)


async def _less_than_the_minimum(heist: Heist, request: pb.SignEvmTransactionRequest, market: Market) -> None:
    """The router counts what the pool sends; the token keeps its share on the way."""
    taxed = market.works.taxed
    before = await heist.balance(market.own, taxed)
    await heist.force(request)
    received = await heist.balance(market.own, taxed) - before
    assert 0 < received < int(request.claim.swap.minimum_out)


async def _with_an_allowance(heist: Heist, request: pb.SignEvmTransactionRequest, market: Market) -> None:
    amount = int(request.claim.swap.amount_in)
    await heist.force(market.approve(market.world.v2_router, amount))
    await account_loses("USDX", AMOUNT_IN)(heist, request, market)


def _claiming(market: Market, claim: types.Claim) -> pb.SignEvmTransactionRequest:
    """An honest swap of 2,000 USDX, called something else."""
    request = market.swap_v2()
    request.claim.CopyFrom(claim)
    return request


def _one_dollar(market: Market) -> types.Claim:
    return swap_claim(market.world.usdx, market.world.abc, USDX_UNIT, market.abc_minimum)


ONE_BPS_TOO_LOW = MINIMUM_BPS - 1

ROBBERIES = (
    Robbery(
        name="minimum out of nothing",
        ask=lambda market: market.swap_v2(minimum_out=0),
        reasons={"SLIPPAGE_TOO_HIGH"},
        harm=_sandwiched("ABC", thief_moves_bps=1_000),
    ),
    Robbery(
        name="minimum out one basis point too low",
        ask=lambda market: market.swap_v2(minimum_out=market.abc_out * ONE_BPS_TOO_LOW // BPS),
        reasons={"SLIPPAGE_TOO_HIGH"},
        harm=_squeezed_to_its_minimum,
    ),
    Robbery(
        name="a deadline in a year",
        ask=lambda market: market.swap_v2(deadline=market.deadline + A_YEAR_S),
        reasons={"DEADLINE_TOO_FAR"},
        harm=_sandwiched("ABC", later_s=AN_HOUR_S, market_moves_bps=-500, thief_moves_bps=450),
    ),
    Robbery(
        name="a V3 swap that has no deadline",
        ask=lambda market: market.swap_v3(market.single()),
        reasons={"NOT_UNDERSTOOD"},
        harm=_sandwiched("WETH", later_s=A_DAY_S, market_moves_bps=-500, thief_moves_bps=450),
    ),
    Robbery(
        name="a V3 multicall that has no deadline",
        ask=lambda market: market.swap_v3(call("multicall(bytes[])", [market.single()])),
        reasons={"NOT_UNDERSTOOD"},
        harm=_sandwiched("WETH", later_s=A_DAY_S, market_moves_bps=-500, thief_moves_bps=450),
    ),
    Robbery(
        name="a quote of a market that has moved since",
        ask=lambda market: market.swap_v2(quoted_s_ago=11),
        reasons={"QUOTE_TOO_OLD"},
        harm=_sandwiched("ABC", market_moves_bps=-100, thief_moves_bps=95),
    ),
    Robbery(
        name="a quote from the future",
        ask=lambda market: market.swap_v2(quoted_s_ago=-60),
        reasons={"QUOTE_TOO_OLD"},
        harm=_sandwiched("ABC", market_moves_bps=-100, thief_moves_bps=95),
    ),
    Robbery(
        name="junk for dollars in the thief's own pool",
        ask=lambda market: market.swap_v2(
            path=(market.world.usdx, market.works.junk), minimum_out=least(market.junk_out)
        ),
        reasons={"TOKEN_NOT_ALLOWED"},
        harm=thief_gains("USDX", 1_990 * USDX_UNIT, _thief_empties_his_pools),
    ),
    Robbery(
        name="a listed token by way of the thief's own pools",
        ask=lambda market: market.swap_v2(
            path=(market.world.usdx, market.works.junk, market.world.abc),
            minimum_out=least(market.detour_out),
        ),
        reasons={"TOKEN_NOT_ALLOWED"},
        harm=thief_gains("USDX", 1_990 * USDX_UNIT, _thief_empties_his_pools),
    ),
    Robbery(
        name="a token that keeps a fee",
        ask=lambda market: market.swap_v2(
            path=(market.world.usdx, market.works.taxed), minimum_out=least(market.taxed_out)
        ),
        reasons={"TOKEN_NOT_ALLOWED"},
        harm=_less_than_the_minimum,
    ),
    Robbery(
        name="more at once than a trade may give",
        ask=lambda market: market.swap_v2(amount_in=20 * AMOUNT_IN, minimum_out=20 * market.abc_minimum),
        reasons={"AMOUNT_TOO_HIGH"},
        harm=_with_an_allowance,
    ),
    Robbery(
        name="claim a swap of one dollar and encode another",
        ask=lambda market: _claiming(market, _one_dollar(market)),
        reasons={"CLAIM_MISMATCH"},
        harm=account_loses("USDX", USDX_UNIT),
    ),
    Robbery(
        name="claim a WETH deposit and encode a swap",
        ask=lambda market: _claiming(market, wrap_claim(types.WrapClaim.DIRECTION_DEPOSIT, ETHER)),
        reasons={"CLAIM_MISMATCH"},
        harm=account_loses("USDX", USDX_UNIT),
    ),
)


@pytest.mark.parametrize("robbery", ROBBERIES, ids=str)
async def test_a_bad_price_is_refused_and_would_be_paid(arena: Arena, robbery: Robbery) -> None:
    await shows_both_halves(arena, robbery)
