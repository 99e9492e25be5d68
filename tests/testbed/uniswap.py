"""The real Uniswap V2 and V3 contracts on a local chain, with deep pools; refuses recompiled bytecode.

Two tokens of our own (USDX with 6 decimals, ABC with 18) and WETH9. Each pair has a V2 pool and a V3 pool
(fee 0.3 %, full range), both with 20 million USDX on their side: a trade of 1,000 USDX moves the price by
about one basis point. 1 WETH = 3,000 USDX and 1 ABC = 2 USDX.
"""

import json
import math
from dataclasses import asdict, dataclass
from pathlib import Path

from eth_utils.crypto import keccak

from tests.testbed import abi, packages
from tests.testbed.accounts import LIQUIDITY_PROVIDER, dev_account
from tests.testbed.anvil import Anvil

V3_FEE = 3000  # hundredths of a basis point
V3_FULL_RANGE_TICK = 887_220
FOREVER = 2**40  # a deadline in seconds that no test chain reaches
MAX_UINT256 = 2**256 - 1
ZERO_ADDRESS = "0x" + "00" * 20

USDX_UNIT, ETHER = 10**6, 10**18
_POOL_USDX = 20_000_000 * USDX_UNIT
_POOL_WETH = 20_000_000 * ETHER // 3_000
_POOL_ABC = 10_000_000 * ETHER

# The addresses of pairs and pools follow from these, and the routers have them built in.
PAIR_INIT_CODE_HASH = "96e8ac4277198ff8b6f785478aa9a39f403cb768dd02cbee326c3e7da348845f"
POOL_INIT_CODE_HASH = "e34f199b19b2b4f47f68442619d555527d244f78a3297ea89325f843f87b8b54"


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """Where everything lies: addresses as lower-case 0x hex."""

    chain_id: int
    weth: str
    usdx: str
    abc: str
    v2_factory: str
    v2_router: str
    v3_factory: str
    position_manager: str
    swap_router: str
    quoter: str
    v2_usdx_weth: str
    v2_usdx_abc: str
    v3_usdx_weth: str
    v3_usdx_abc: str

    def token(self, symbol: str) -> str:
        """The address of WETH, USDX or ABC."""
        return {"WETH": self.weth, "USDX": self.usdx, "ABC": self.abc}[symbol]

    def save(self, path: Path) -> None:
        path.write_text(json.dumps(asdict(self), indent=1) + "\n", encoding="utf-8")

    @classmethod
    def load(cls, path: Path) -> "World":
        return cls(**json.loads(path.read_text(encoding="utf-8")))


@dataclass(frozen=True, slots=True, kw_only=True)
class UniswapState:
    """A chain with Uniswap on it, to be laid over a fresh anvil with `load_state`."""

    world: World
    dump: str


async def deploy(anvil: Anvil) -> World:
    """Deploys the contracts and fills the four pools; takes about half a second."""
    assert_init_code_hashes()
    return await _Deployer(anvil).everything()


def assert_init_code_hashes() -> None:
    """Fails when the pair or pool bytecode is not the one that the routers compute addresses from."""
    assert keccak(packages.artifact("UniswapV2Pair").bytecode).hex() == PAIR_INIT_CODE_HASH
    assert keccak(packages.artifact("UniswapV3Pool").bytecode).hex() == POOL_INIT_CODE_HASH


class _Deployer:
    def __init__(self, anvil: Anvil) -> None:
        self._anvil = anvil
        self._owner = dev_account(LIQUIDITY_PROVIDER).address

    async def everything(self) -> World:
        owner = self._owner
        await self._anvil.rpc("anvil_setBalance", owner, hex(1_000_000 * ETHER))
        weth = await self._create("WETH9", "()")
        usdx = await self._create("TestToken", "(string,uint8)", "USDX", 6)
        abc = await self._create("TestToken", "(string,uint8)", "ABC", 18)
        v2_factory = await self._create("UniswapV2Factory", "(address)", owner)
        v2_router = await self._create("UniswapV2Router02", "(address,address)", v2_factory, weth)
        v3_factory = await self._create("UniswapV3Factory", "()")
        manager = await self._create(
            "NonfungiblePositionManager", "(address,address,address)", v3_factory, weth, ZERO_ADDRESS
        )
        router = await self._create(
            "SwapRouter02", "(address,address,address,address)", v2_factory, v3_factory, manager, weth
        )
        quoter = await self._create("QuoterV2", "(address,address)", v3_factory, weth)

        await self._stock(weth, usdx, abc)
        for token in (weth, usdx, abc):
            for spender in (v2_router, manager):
                await self._do(token, "approve(address,uint256)", spender, MAX_UINT256)
        for token, amount in ((weth, _POOL_WETH), (abc, _POOL_ABC)):
            await self._fill_v2(v2_router, usdx, token, amount)
            await self._fill_v3(manager, usdx, token, amount)
        return World(
            chain_id=self._anvil.chain_id,
            weth=weth,
            usdx=usdx,
            abc=abc,
            v2_factory=v2_factory,
            v2_router=v2_router,
            v3_factory=v3_factory,
            position_manager=manager,
            swap_router=router,
            quoter=quoter,
            v2_usdx_weth=await self._v2_pool(v2_factory, usdx, weth),
            v2_usdx_abc=await self._v2_pool(v2_factory, usdx, abc),
            v3_usdx_weth=await self._v3_pool(v3_factory, usdx, weth),
            v3_usdx_abc=await self._v3_pool(v3_factory, usdx, abc),
        )

    async def _create(self, name: str, types: str, *arguments: object) -> str:
        code = abi.constructor(packages.artifact(name).bytecode, types, *arguments)
        receipt = await self._anvil.send(self._owner, None, code)
        return str(receipt["contractAddress"]).lower()

    async def _stock(self, weth: str, usdx: str, abc: str) -> None:
        await self._anvil.send(self._owner, weth, abi.calldata("deposit()"), 3 * _POOL_WETH)
        await self._do(usdx, "mint(address,uint256)", self._owner, 10 * _POOL_USDX)
        await self._do(abc, "mint(address,uint256)", self._owner, 10 * _POOL_ABC)

    async def _fill_v2(self, router: str, usdx: str, token: str, amount: int) -> None:
        signature = "addLiquidity(address,address,uint256,uint256,uint256,uint256,address,uint256)"
        await self._do(router, signature, usdx, token, _POOL_USDX, amount, 0, 0, self._owner, FOREVER)

    async def _fill_v3(self, manager: str, usdx: str, token: str, amount: int) -> None:
        (token0, amount0), (token1, amount1) = sorted([(usdx, _POOL_USDX), (token, amount)])
        await self._do(
            manager,
            "createAndInitializePoolIfNecessary(address,address,uint24,uint160)",
            token0,
            token1,
            V3_FEE,
            sqrt_price_x96(amount0, amount1),
        )
        mint = "mint((address,address,uint24,int24,int24,uint256,uint256,uint256,uint256,address,uint256))"
        low, high = -V3_FULL_RANGE_TICK, V3_FULL_RANGE_TICK
        position = (token0, token1, V3_FEE, low, high, amount0, amount1, 0, 0, self._owner, FOREVER)
        await self._do(manager, mint, position)

    async def _v2_pool(self, factory: str, usdx: str, token: str) -> str:
        (pair,) = await self._anvil.call(
            factory, "getPair(address,address)", usdx, token, returns="(address)"
        )
        return str(pair).lower()

    async def _v3_pool(self, factory: str, usdx: str, token: str) -> str:
        signature = "getPool(address,address,uint24)"
        (pool,) = await self._anvil.call(factory, signature, usdx, token, V3_FEE, returns="(address)")
        return str(pool).lower()

    async def _do(self, to: str, signature: str, *arguments: object) -> None:
        await self._anvil.send(self._owner, to, abi.calldata(signature, *arguments))


def sqrt_price_x96(amount0: int, amount1: int) -> int:
    """V3's square root of (token1 per token0), as a 64.96 fixed-point number."""
    return math.isqrt((amount1 << 192) // amount0)
