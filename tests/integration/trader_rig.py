"""A trader without its process: real chain, real contracts, real PostgreSQL, a signer that is scripted."""

import asyncio
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace

from tests.fakes.fake_signer import FakeSigner
from tests.fakes.trader_clock import TraderClock
from tests.testbed.anvil import CHAIN_ID
from tests.testbed.bed import Bed
from tests.testbed.uniswap import ETHER, USDX_UNIT, V3_FEE, World
from trader.adapters.evm_rpc.node import EvmNode, evm_node
from trader.adapters.postgres.migrate import migrate
from trader.adapters.postgres.order_store import PostgresOrderStore
from trader.adapters.postgres.pool import open_database
from trader.adapters.uniswap.erc20 import Erc20Approvals
from trader.adapters.uniswap.v2 import UniswapV2
from trader.adapters.uniswap.v3 import UniswapV3
from trader.domain.ids import Address, AssetId, ChainName, OrderId, StrategyName, WalletId, erc20, native
from trader.domain.orders import CLOSED_STATES, Order, OrderKind, OrderState
from trader.domain.time import UnixMs
from trader.engine.config import EngineConfig
from trader.engine.desk import Desk
from trader.engine.reconcile import compare_books, open_books
from trader.engine.worker import Worker
from trader.ports.order_store import NewOrder, PortfolioLimits
from trader.ports.signer import Signer
from trader.ports.venue import Venue

CHAIN = ChainName(f"eip155:{CHAIN_ID}")
TRADER = 1
RPC_TIMEOUT_MS = 250

CONFIG = EngineConfig(
    lease_ms=5_000,
    poll_ms=5,
    retry_first_ms=5,
    retry_most_ms=20,
    quarantine_ms=60_000,
    swap_deadline_s=60,
    stuck_after_ms=30_000,
    max_replacements=2,
    confirmations=1,
    max_fee_per_gas_wei=50_000_000_000,
    max_priority_fee_per_gas_wei=2_000_000_000,
    limits=PortfolioLimits(max_position={}, cooldown_ms=0),
    symbols={},
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rig:
    """What a test needs; `desk` is made anew by `restart`, as after a crash."""

    bed: Bed
    clock: TraderClock
    node: EvmNode
    store: PostgresOrderStore
    signer: FakeSigner
    desk: Desk

    @property
    def wallet(self) -> WalletId:
        return self.signer.wallet

    @property
    def usdx(self) -> AssetId:
        return erc20(CHAIN, Address(self.bed.world.usdx))

    @property
    def weth(self) -> AssetId:
        return erc20(CHAIN, Address(self.bed.world.weth))

    @property
    def assets(self) -> list[AssetId]:
        return [native(CHAIN), self.usdx, self.weth]

    def restart(self, **changes: int | None) -> "Rig":
        """The same database, chain and signer; everything that lived in memory is gone."""
        desk = replace(
            make_desk(self.bed.world, self.clock, self.node, self.store, self.signer),
            config=replace(self.desk.config, **changes),  # type: ignore[arg-type]  # the fields are ints
        )
        return replace(self, desk=desk)

    async def order(
        self,
        venue: str = "uniswap_v2",
        amount: int = 1_000 * USDX_UNIT,
        *,
        live: bool = True,
        sell: bool = False,
    ) -> OrderId:
        now = self.clock.now()
        new = NewOrder(
            id=OrderId(str(uuid.uuid4())),
            kind=OrderKind.SWAP,
            wallet=self.wallet,
            strategy=StrategyName("test"),
            venue=venue,
            asset_in=self.weth if sell else self.usdx,
            asset_out=self.usdx if sell else self.weth,
            amount_in=amount,
            max_slippage_bps=50,
            live=live,
            created_at=now,
            expires_at=UnixMs(now + 60_000),
        )
        await self.store.create(new)
        return new.id

    async def look(self) -> None:
        """One claim of each order that is due, advanced as far as it goes."""
        worker, stop = Worker(self.desk, f"rig-{id(self.desk)}"), asyncio.Event()
        claims = await self.store.claim(
            f"rig-{id(self.desk)}", self.clock.now(), self.desk.config.lease_ms, 50
        )
        for claim in claims:
            await worker.work(claim, stop)

    async def until(self, order: OrderId, *states: OrderState, looks: int = 400) -> Order:
        """Look until the order stands in one of `states` (any closed one by default)."""
        found = await self.get(order)
        for _ in range(looks):
            found = await self.get(order)
            if found.state in (states or CLOSED_STATES):
                return found
            await self.look()
            await asyncio.sleep(0.005)
        raise AssertionError(f"the order stays {found.state}: {found.reason}")

    async def get(self, order: OrderId) -> Order:
        found = await self.store.get(order)
        assert found is not None
        return found

    async def assert_books_close(self) -> None:
        await self.store.close_books(self.wallet)
        drift = await compare_books(self.desk, self.wallet, self.assets)
        assert drift is not None, "orders are still under way"
        assert drift.by_asset == {}

    async def swaps_on_chain(self) -> int:
        """Transactions that the wallet has sent, by its nonce."""
        account = self.wallet.rpartition(":")[2]
        return int(str(await self.bed.anvil.rpc("eth_getTransactionCount", account, "latest")), 16)


@asynccontextmanager
async def trader_rig(bed: Bed) -> AsyncIterator[Rig]:
    account = bed.accounts[TRADER]
    clock = TraderClock.running()
    await bed.fund(account.address, "USDX", 100_000 * USDX_UNIT)
    await bed.fund(account.address, "WETH", 10 * ETHER)
    async with (
        evm_node(bed.rpc_url, clock, timeout_ms=RPC_TIMEOUT_MS) as node,
        open_database(bed.dsn, connections=4) as database,
    ):
        await migrate(database)
        store, signer = PostgresOrderStore(database), FakeSigner(account, chain_id=CHAIN_ID)
        desk = make_desk(bed.world, clock, node, store, signer)
        rig = Rig(bed=bed, clock=clock, node=node, store=store, signer=signer, desk=desk)
        assert await open_books(desk, rig.wallet, rig.assets)
        yield rig


def make_desk(
    world: World, clock: TraderClock, node: EvmNode, store: PostgresOrderStore, signer: Signer
) -> Desk:
    usdx, weth = Address(world.usdx), Address(world.weth)
    assets = erc20(CHAIN, usdx), erc20(CHAIN, weth)
    venues: list[Venue] = [
        UniswapV2(node, clock, router=Address(world.v2_router)),
        UniswapV3(
            node,
            clock,
            router=Address(world.swap_router),
            quoter=Address(world.quoter),
            routes={assets: ((usdx, weth), (V3_FEE,)), assets[::-1]: ((weth, usdx), (V3_FEE,))},
        ),
    ]
    return Desk(
        store=store,
        chain=node,
        signer=signer,
        clock=clock,
        venues={venue.name: venue for venue in venues},
        approvals=Erc20Approvals(),
        config=CONFIG,
    )
