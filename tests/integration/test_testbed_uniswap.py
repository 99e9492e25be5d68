import random

import pytest

from tests.testbed import abi, uniswap
from tests.testbed.accounts import dev_account
from tests.testbed.anvil import Anvil
from tests.testbed.price_mover import PriceMover, trend
from tests.testbed.uniswap import FOREVER, USDX_UNIT, V3_FEE, World

TRADER = dev_account(1).address
THOUSAND_USDX = 1_000 * USDX_UNIT
SWAP_V2 = "swapExactTokensForTokens(uint256,uint256,address[],address,uint256)"
SWAP_V3 = "exactInputSingle((address,address,uint24,address,uint256,uint256,uint160))"
QUOTE_V3 = "quoteExactInputSingle((address,address,uint256,uint24,uint160))"


async def _allow(anvil: Anvil, world: World, router: str) -> None:
    await anvil.send(TRADER, world.usdx, abi.calldata("mint(address,uint256)", TRADER, THOUSAND_USDX))
    await anvil.send(TRADER, world.usdx, abi.calldata("approve(address,uint256)", router, THOUSAND_USDX))


async def _quote_v3(anvil: Anvil, world: World, token: str, amount: int) -> int:
    request = (world.usdx, token, amount, V3_FEE, 0)
    quoted, *_ = await anvil.call(world.quoter, QUOTE_V3, request, returns="(uint256,uint160,uint32,uint256)")
    assert isinstance(quoted, int)
    return quoted


async def _quote_v2(anvil: Anvil, world: World, token: str, amount: int) -> int:
    path = (world.usdx, token)
    (amounts,) = await anvil.call(
        world.v2_router, "getAmountsOut(uint256,address[])", amount, path, returns="(uint256[])"
    )
    assert isinstance(amounts, tuple)
    return int(amounts[1])


def test_the_pair_and_pool_bytecode_is_the_one_the_routers_know() -> None:
    uniswap.assert_init_code_hashes()


@pytest.mark.parametrize("symbol", ["WETH", "ABC"])
async def test_a_v2_swap_gives_what_was_quoted(anvil: Anvil, world: World, symbol: str) -> None:
    token = world.token(symbol)
    await _allow(anvil, world, world.v2_router)
    quoted = await _quote_v2(anvil, world, token, THOUSAND_USDX)

    swap = abi.calldata(SWAP_V2, THOUSAND_USDX, quoted, (world.usdx, token), TRADER, FOREVER)
    await anvil.send(TRADER, world.v2_router, swap)

    assert await anvil.uint(token, "balanceOf(address)", TRADER) == quoted


@pytest.mark.parametrize("symbol", ["WETH", "ABC"])
async def test_a_v3_swap_gives_what_was_quoted(anvil: Anvil, world: World, symbol: str) -> None:
    token = world.token(symbol)
    await _allow(anvil, world, world.swap_router)
    quoted = await _quote_v3(anvil, world, token, THOUSAND_USDX)

    swap = abi.calldata(SWAP_V3, (world.usdx, token, V3_FEE, TRADER, THOUSAND_USDX, quoted, 0))
    await anvil.send(TRADER, world.swap_router, swap)

    assert await anvil.uint(token, "balanceOf(address)", TRADER) == quoted


async def test_a_trade_of_a_thousand_costs_its_fee_and_a_basis_point(anvil: Anvil, world: World) -> None:
    fair = 500 * uniswap.ETHER  # 1,000 USDX at 2 USDX per ABC

    quotes = [await quote(anvil, world, world.abc, THOUSAND_USDX) for quote in (_quote_v2, _quote_v3)]

    for quoted in quotes:
        assert fair * 9_968 // 10_000 < quoted < fair * 9_971 // 10_000


async def test_a_dumped_chain_continues_on_another_anvil(anvil: Anvil, world: World) -> None:
    await anvil.send(TRADER, world.abc, abi.calldata("mint(address,uint256)", TRADER, 7))
    state = await anvil.dump_state()

    async with Anvil() as other:
        await other.load_state(state)

        assert await other.uint(world.abc, "balanceOf(address)", TRADER) == 7
        assert (await other.head())["number"] == (await anvil.head())["number"]


@pytest.mark.parametrize("symbol", ["WETH", "ABC"])
async def test_the_mover_moves_both_venues_together(anvil: Anvil, world: World, symbol: str) -> None:
    mover, token = PriceMover(anvil, world, symbol), world.token(symbol)
    before = await _quote_v2(anvil, world, token, THOUSAND_USDX)

    await mover.walk(trend(random.Random(7), steps_up=3, steps_down=1, bps=40, noise_bps=5), pause_s=0)
    v2, v3 = [await quote(anvil, world, token, THOUSAND_USDX) for quote in (_quote_v2, _quote_v3)]

    assert before * 9_915 // 10_000 < v2 < before * 9_925 // 10_000
    assert abs(v2 - v3) * 10_000 < v2


async def test_the_same_seed_walks_the_same_path() -> None:
    one, two = (trend(random.Random(1), steps_up=5, steps_down=5, bps=30, noise_bps=9) for _ in range(2))

    assert one == two
