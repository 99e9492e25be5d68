"""Moves the price of a pair by real swaps, in both its pools together; refuses to be random without a seed.

The V2 pool takes a swap of the size that moves it by the wanted basis points, then the V3 pool is swapped
exactly to the V2 pool's new price. So the two venues agree, as arbitrage would make them on a real chain.
"""

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator, Iterable, Sequence

from tests.testbed import abi
from tests.testbed.accounts import PRICE_MOVER, dev_account
from tests.testbed.anvil import Anvil
from tests.testbed.uniswap import ETHER, FOREVER, MAX_UINT256, USDX_UNIT, V3_FEE, World, sqrt_price_x96

_BPS = 10_000
_V2_FEE_KEEPS = (997, 1000)
_CLOSE_ENOUGH_BPS = 1  # the V3 pool is left alone when it is nearer than this to the V2 price


def trend(rng: random.Random, *, steps_up: int, steps_down: int, bps: int, noise_bps: int = 0) -> list[int]:
    """A path that rises and then falls: signed basis points per step, each off by at most `noise_bps`."""
    signs = [1] * steps_up + [-1] * steps_down
    return [sign * bps + rng.randint(-noise_bps, noise_bps) for sign in signs]


class PriceMover:
    """The mover of one pair, USDX against `symbol` (WETH or ABC), trading from its own account."""

    def __init__(self, anvil: Anvil, world: World, symbol: str) -> None:
        self._anvil, self._world = anvil, world
        self._who = dev_account(PRICE_MOVER).address
        self._token = world.token(symbol)
        pools = {
            "WETH": (world.v2_usdx_weth, world.v3_usdx_weth),
            "ABC": (world.v2_usdx_abc, world.v3_usdx_abc),
        }
        self._v2_pool, self._v3_pool = pools[symbol]
        self._ready = False

    async def move(self, bps: int) -> None:
        """Makes the token dearer in USDX by `bps` basis points, or cheaper when negative."""
        await self._prepare()
        usdx, token = await self._v2_reserves()
        if bps == 0:
            return
        # Buying the token pays USDX in. A price change of b needs about half of b of the reserve.
        path, reserve = (
            ((self._world.usdx, self._token), usdx) if bps > 0 else ((self._token, self._world.usdx), token)
        )
        amount = reserve * abs(bps) * _V2_FEE_KEEPS[1] // (2 * _BPS * _V2_FEE_KEEPS[0])
        swap = "swapExactTokensForTokens(uint256,uint256,address[],address,uint256)"
        await self._do(self._world.v2_router, swap, amount, 0, path, self._who, FOREVER)
        await self._align_v3()

    async def walk(self, path: Iterable[int], *, pause_s: float) -> None:
        """Moves along `path` (signed basis points), waiting `pause_s` after each step."""
        for bps in path:
            await self.move(bps)
            await asyncio.sleep(pause_s)

    @contextlib.asynccontextmanager
    async def walking(self, path: Sequence[int], *, pause_s: float) -> AsyncIterator[asyncio.Task[None]]:
        """Walks as a task beside the block; what is left of the path is dropped at the end of the block."""
        task = asyncio.create_task(self.walk(path, pause_s=pause_s))
        try:
            yield task
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task

    async def price_usdx(self) -> tuple[int, int]:
        """The V2 price as a fraction: USDX base units per token base units."""
        return await self._v2_reserves()

    async def _align_v3(self) -> None:
        usdx, token = await self._v2_reserves()
        usdx_first = self._world.usdx < self._token
        target = sqrt_price_x96(*((usdx, token) if usdx_first else (token, usdx)))
        slot0 = "(uint160,int24,uint16,uint16,uint16,uint8,bool)"
        (current, *_) = await self._anvil.call(self._v3_pool, "slot0()", returns=slot0)
        assert isinstance(current, int)
        if abs(target - current) * 2 * _BPS < current * _CLOSE_ENOUGH_BPS:
            return
        # V3's price is token1 per token0, so it rises when token1 is paid in.
        pay_usdx = (target > current) != usdx_first
        paid, got = (self._world.usdx, self._token) if pay_usdx else (self._token, self._world.usdx)
        # The router takes only what reaching the limit costs, so the amount is merely "enough".
        enough = (usdx if pay_usdx else token) // 2
        swap = "exactInputSingle((address,address,uint24,address,uint256,uint256,uint160))"
        await self._do(self._world.swap_router, swap, (paid, got, V3_FEE, self._who, enough, 0, target))

    async def _v2_reserves(self) -> tuple[int, int]:
        first, second, _ = await self._anvil.call(
            self._v2_pool, "getReserves()", returns="(uint112,uint112,uint32)"
        )
        assert isinstance(first, int)
        assert isinstance(second, int)
        return (first, second) if self._world.usdx < self._token else (second, first)

    async def _prepare(self) -> None:
        if self._ready:
            return
        world = self._world
        await self._anvil.rpc("anvil_setBalance", self._who, hex(1_000_000 * ETHER))
        await self._anvil.send(self._who, world.weth, abi.calldata("deposit()"), 100_000 * ETHER)
        await self._do(world.usdx, "mint(address,uint256)", self._who, 1_000_000_000 * USDX_UNIT)
        await self._do(world.abc, "mint(address,uint256)", self._who, 1_000_000_000 * ETHER)
        for coin in (world.usdx, self._token):
            for router in (world.v2_router, world.swap_router):
                await self._do(coin, "approve(address,uint256)", router, MAX_UINT256)
        self._ready = True

    async def _do(self, to: str, signature: str, *arguments: object) -> None:
        await self._anvil.send(self._who, to, abi.calldata(signature, *arguments))
