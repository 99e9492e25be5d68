"""From a signal to its first transaction in the mempool, through both programs; the trader's memory after it.

A swap needs an exact allowance first, so its first transaction is the approval; a new block comes only every
`BLOCK_TIME_S`, so nothing here waits for mining.
"""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import asyncpg
import psutil

from tests.testbed import abi
from tests.testbed.accounts import LIQUIDITY_PROVIDER, dev_account
from tests.testbed.anvil import Anvil
from tests.testbed.price_mover import PriceMover
from tests.testbed.processes import until
from tests.testbed.rpc_proxy import RpcProxy
from tests.testbed.signer_program import SignerFiles, serving, signer_program
from tests.testbed.trader_program import Momentum, TraderFiles, trader_program, trading
from tests.testbed.uniswap import ETHER, USDX_UNIT, UniswapState, World

SIGNALS = 40
BLOCK_TIME_S = 0.2
MOVE_BPS = 45
STRATEGIES = (
    Momentum(symbol="ABC", venue="uniswap_v2", sell_amount=200 * ETHER, window=2, cooldown_ms=0),
    Momentum(symbol="WETH", venue="uniswap_v3", sell_amount=ETHER // 8, window=2, cooldown_ms=0),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class MempoolFigures:
    """Milliseconds from the strategy's decision to the node's acceptance of the first transaction."""

    p50_ms: float
    p99_ms: float
    trader_rss_mb: float
    signals: int


async def measure_mempool(state: UniswapState, folder: Path, dsn: str) -> MempoolFigures:
    """Both programs trade on a chain of their own until there were SIGNALS signals; `dsn`: an empty database.

    The start is `created_at` of the swap's order: the trader's clock right after the strategy decided, before
    anything is written. The end is when the proxy before the node had the node's acceptance. Same machine,
    same clock.
    """
    async with Anvil(block_time_s=BLOCK_TIME_S) as anvil, RpcProxy(anvil.url) as proxy:
        await anvil.load_state(state.dump)
        signer_files = SignerFiles(folder=folder / "signer", world=state.world, rpc_url=anvil.url).write()
        await _fund(anvil, state.world, signer_files.address)
        files = TraderFiles(
            folder=folder / "trader",
            signer=signer_files,
            world=state.world,
            rpc_url=proxy.url,
            dsn=dsn,
            strategies=STRATEGIES,
            confirmations=1,
        ).write()
        async with signer_program(signer_files) as signer:
            await serving(signer_files, signer)
            async with trader_program(files) as trader:
                await trading(trader)
                await _provoke(anvil, state.world, dsn)
                rss_mb = psutil.Process(trader.pid).memory_info().rss / 1e6
        times = await _times(dsn, proxy)
    ranked = statistics.quantiles(times, n=100, method="inclusive")
    return MempoolFigures(p50_ms=ranked[49], p99_ms=ranked[98], trader_rss_mb=rss_mb, signals=len(times))


async def _provoke(anvil: Anvil, world: World, dsn: str) -> None:
    """Move one price after the other, up and down; each move waits until its signal's orders are closed."""
    movers = [PriceMover(anvil, world, strategy.symbol) for strategy in STRATEGIES]
    connection = await asyncpg.connect(dsn)

    async def signals() -> int:
        return int(await connection.fetchval("SELECT count(*) FROM orders WHERE kind = 'swap'"))

    async def quiet() -> bool:
        return bool(await connection.fetchval("SELECT count(*) = 0 FROM orders WHERE closed_at IS NULL"))

    try:
        bps = MOVE_BPS
        while await signals() < SIGNALS:
            for mover in movers:
                await mover.move(bps)
                await until(quiet, what="every order is closed")
            bps = -bps
    finally:
        await connection.close()


async def _times(dsn: str, proxy: RpcProxy) -> Sequence[float]:
    connection = await asyncpg.connect(dsn)
    try:
        rows = await connection.fetch(_FIRST_TRANSACTIONS)
    finally:
        await connection.close()
    accepted = proxy.accepted_ms
    return [accepted[row["first"]] - row["created_at"] for row in rows if row["first"] in accepted]


async def _fund(anvil: Anvil, world: World, address: str) -> None:
    owner = dev_account(LIQUIDITY_PROVIDER).address
    amounts = {world.usdx: 1_000_000 * USDX_UNIT, world.abc: 4_000 * ETHER, world.weth: 2 * ETHER}
    for token, amount in amounts.items():
        await anvil.send(owner, token, abi.calldata("transfer(address,uint256)", address, amount))


_FIRST_TRANSACTIONS = """
SELECT swaps.created_at, coalesce(approvals.transaction_hash, swaps.transaction_hash) AS first
  FROM orders swaps LEFT JOIN orders approvals ON approvals.parent = swaps.id
 WHERE swaps.kind = 'swap'
"""
