"""The whole test bed: chain, Uniswap, two proxies, PostgreSQL; refuses to leave anything running.

Trader and signer each get a proxy of their own, since they must not share a liar.
"""

import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass

from tests.testbed import abi, uniswap
from tests.testbed.accounts import COUNT, LIQUIDITY_PROVIDER, DevAccount, dev_account
from tests.testbed.anvil import Anvil
from tests.testbed.postgres import PostgresServer, postgres_server
from tests.testbed.price_mover import PriceMover
from tests.testbed.rpc_proxy import RpcProxy
from tests.testbed.uniswap import UniswapState, World


@dataclass(frozen=True, slots=True, kw_only=True)
class Bed:
    """Everything that is not the two programs; `async with Bed.start() as bed:`."""

    anvil: Anvil
    world: World
    proxy: RpcProxy  # between the trader and the chain
    signer_proxy: RpcProxy  # between the signer and the chain
    dsn: str

    @classmethod
    @contextlib.asynccontextmanager
    async def start(
        cls,
        *,
        block_time_s: float | None = None,
        no_mining: bool = False,
        state: UniswapState | None = None,
        postgres: PostgresServer | None = None,
    ) -> AsyncIterator["Bed"]:
        """Starts what it is not given: a dumped Uniswap `state` and a running `postgres` save about 3 s."""
        async with contextlib.AsyncExitStack() as stack:
            server = postgres or stack.enter_context(postgres_server())
            found = state or await uniswap_state()
            anvil = await stack.enter_async_context(Anvil(block_time_s=block_time_s, no_mining=no_mining))
            await anvil.load_state(found.dump)
            yield cls(
                anvil=anvil,
                world=found.world,
                proxy=await stack.enter_async_context(RpcProxy(anvil.url)),
                signer_proxy=await stack.enter_async_context(RpcProxy(anvil.url)),
                dsn=await stack.enter_async_context(server.database()),
            )

    @property
    def rpc_url(self) -> str:
        """The trader's node."""
        return self.proxy.url

    @property
    def signer_rpc_url(self) -> str:
        """The signer's node."""
        return self.signer_proxy.url

    @property
    def accounts(self) -> tuple[DevAccount, ...]:
        """The public test accounts; 1 to 8 are for trading."""
        return tuple(dev_account(index) for index in range(COUNT))

    async def fund(self, address: str, token: str, amount: int) -> None:
        """Gives `amount` base units of ETH, WETH, USDX or ABC to `address`."""
        if token == "ETH":
            await self.anvil.rpc("anvil_setBalance", address, hex(await self.anvil.balance(address) + amount))
            return
        give = "transfer" if token == "WETH" else "mint"
        data = abi.calldata(f"{give}(address,uint256)", address, amount)
        await self.anvil.send(dev_account(LIQUIDITY_PROVIDER).address, self.world.token(token), data)

    async def balance(self, address: str, token: str) -> int:
        """What `address` holds at the latest block, in base units."""
        if token == "ETH":
            return await self.anvil.balance(address)
        return await self.anvil.uint(self.world.token(token), "balanceOf(address)", address)

    def mover(self, symbol: str) -> PriceMover:
        """Moves the price of WETH or ABC in USDX."""
        return PriceMover(self.anvil, self.world, symbol)


async def uniswap_state() -> UniswapState:
    """Builds Uniswap on a chain of its own and dumps it, for `Bed.start` and `Anvil.load_state`."""
    async with Anvil() as anvil:
        world = await uniswap.deploy(anvil)
        return UniswapState(world=world, dump=await anvil.dump_state())
