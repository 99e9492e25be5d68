"""What the thief built on the chain beforehand, and what the accounts hold; refuses to touch listed pools."""

from dataclasses import dataclass

from tests.testbed import abi, packages
from tests.testbed.accounts import LIQUIDITY_PROVIDER, dev_account
from tests.testbed.anvil import Anvil
from tests.testbed.uniswap import ETHER, FOREVER, MAX_UINT256, USDX_UNIT, UniswapState, World

THIEF = dev_account(8).address
PLENTY = 10**9 * ETHER

FUNDS = {"USDX": 50_000 * USDX_UNIT, "WETH": 20 * ETHER, "ABC": 20_000 * ETHER}
PER_TRADE = {"USDX": 2_000 * USDX_UNIT, "WETH": 2 * ETHER, "ABC": 2_000 * ETHER}

# PUSH20 thief, SELFDESTRUCT: whoever runs it sends its whole balance to the thief.
GIVE_ALL_TO_THE_THIEF = bytes.fromhex(f"73{THIEF[2:]}ff")
BURN_ALL_GAS = bytes.fromhex("5b600056")  # JUMPDEST, PUSH1 0, JUMP


@dataclass(frozen=True, slots=True, kw_only=True)
class Works:
    """Addresses, lower case: a worthless token, one that keeps a fee, a gas burner, and a sweeper of ETH."""

    junk: str
    taxed: str
    burner: str
    sweeper: str


async def prepare(uniswap: UniswapState, indexes: tuple[int, ...]) -> tuple[Works, str]:
    """A chain with the thief's works, rich accounts and exact allowances, as a dump."""
    async with Anvil() as chain:
        await chain.load_state(uniswap.dump)
        works = await _build(chain, uniswap.world)
        for index in indexes:
            await _provide(chain, uniswap.world, dev_account(index).address)
        return works, await chain.dump_state()


async def _build(chain: Anvil, world: World) -> Works:
    junk = await _create(chain, packages.artifact("TestToken").bytecode, "(string,uint8)", "JUNK", 18)
    taxed = await _create(chain, packages.artifact("DeflatingERC20").bytecode, "(uint256)", PLENTY)
    burner = await _create(chain, _runtime(BURN_ALL_GAS), "()")
    sweeper = await _create(chain, _runtime(GIVE_ALL_TO_THE_THIEF), "()")
    await _do(chain, junk, "mint(address,uint256)", THIEF, PLENTY)
    await _do(chain, world.usdx, "mint(address,uint256)", THIEF, 1_000_000 * USDX_UNIT)
    await _do(chain, world.abc, "mint(address,uint256)", THIEF, 1_000_000 * ETHER)
    await chain.send(THIEF, world.weth, abi.calldata("deposit()"), 1_000 * ETHER)
    for token in (junk, taxed, world.usdx, world.abc, world.weth):
        await _do(chain, token, "approve(address,uint256)", world.v2_router, MAX_UINT256)
    # A few dollars in the thief's pools; what a victim adds can be taken out with tokens that cost nothing.
    for token, amount in ((world.usdx, 10 * USDX_UNIT), (world.abc, 10 * ETHER)):
        await _pool(chain, world, (token, amount), (junk, 1_000 * ETHER))
    await _pool(chain, world, (world.usdx, 100_000 * USDX_UNIT), (taxed, 50_000 * ETHER))
    return Works(junk=junk, taxed=taxed, burner=burner, sweeper=sweeper)


async def _pool(chain: Anvil, world: World, one: tuple[str, int], other: tuple[str, int]) -> None:
    signature = "addLiquidity(address,address,uint256,uint256,uint256,uint256,address,uint256)"
    await _do(chain, world.v2_router, signature, one[0], other[0], one[1], other[1], 0, 0, THIEF, FOREVER)


async def _provide(chain: Anvil, world: World, account: str) -> None:
    """Stock, and the allowances that an honest trader would have asked for."""
    provider = dev_account(LIQUIDITY_PROVIDER).address
    for symbol, amount in FUNDS.items():
        token = world.token(symbol)
        give = "transfer" if symbol == "WETH" else "mint"
        await chain.send(provider, token, abi.calldata(f"{give}(address,uint256)", account, amount))
        for router in (world.v2_router, world.swap_router):
            allow = abi.calldata("approve(address,uint256)", router, PER_TRADE[symbol])
            await chain.send(account, token, allow)


def _runtime(code: bytes) -> bytes:
    """Creation code that leaves `code`: PUSH1 n, DUP1, PUSH1 11, PUSH1 0, CODECOPY, PUSH1 0, RETURN."""
    assert len(code) < 256
    return bytes.fromhex(f"60{len(code):02x}80600b6000396000f3") + code


async def _create(chain: Anvil, bytecode: bytes, types: str, *arguments: object) -> str:
    receipt = await chain.send(THIEF, None, abi.constructor(bytecode, types, *arguments))
    return str(receipt["contractAddress"]).lower()


async def _do(chain: Anvil, to: str, signature: str, *arguments: object) -> None:
    await chain.send(THIEF, to, abi.calldata(signature, *arguments))
