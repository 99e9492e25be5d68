"""Runs the demo; the last line is `DEMO ` and a JSON object.

Ends with 1 when the demo does not show what it claims.
"""

import asyncio
import json
import sys
import tempfile
import time
from pathlib import Path

from signer.settings import harden_environment

harden_environment()

from rich.console import Console  # noqa: E402 - nothing may import grpc before the line above

from tests.demo.books import drift  # noqa: E402
from tests.demo.robbery import rob  # noqa: E402
from tests.demo.trading import Traded, trade  # noqa: E402
from tests.testbed.bed import Bed  # noqa: E402
from tests.testbed.signer_program import SignerFiles, serving, signer_program  # noqa: E402
from tests.testbed.trader_program import TraderFiles, trader_program, trading  # noqa: E402
from tests.testbed.uniswap import USDX_UNIT  # noqa: E402

BLOCK_TIME_S = 0.4
TRADING_ACCOUNT, BURST_ACCOUNT = 1, 2
WIDTH_OF_LOGS = 110


async def demo(console: Console, folder: Path) -> int:
    """Play everything; returns the exit code."""
    started = time.monotonic()
    console.rule("[bold]1. A bed of real parts")
    async with Bed.start(block_time_s=BLOCK_TIME_S) as bed:
        signer_files = SignerFiles(
            folder=folder / "signer",
            world=bed.world,
            rpc_url=bed.signer_rpc_url,
            account_indexes=(TRADING_ACCOUNT, BURST_ACCOUNT),
        ).write()
        trader_files = TraderFiles(
            folder=folder / "trader",
            signer=signer_files,
            world=bed.world,
            rpc_url=bed.rpc_url,
            dsn=bed.dsn,
        ).write()
        await bed.fund(signer_files.address, "USDX", 50_000 * USDX_UNIT)
        console.print("anvil with Uniswap V2 and V3, two proxies, PostgreSQL; 50,000 USDX in the account")
        async with signer_program(signer_files) as signer:
            await serving(signer_files, signer)
            console.print(
                f"signer: process {signer.pid}, port {signer_files.port}, mutual TLS 1.3, holds the key"
            )
            async with trader_program(trader_files) as trader:
                await trading(trader)
                console.print(f"trader: process {trader.pid}, live, holds no key")
                console.rule("[bold]2. Trading while the price moves")
                traded = await trade(console, bed, trader)
                console.rule("[bold]3. The trader is taken over")
                refused = await rob(console, bed, signer_files)
                console.rule("[bold]4. The books against the chain")
                drift_wei = await drift(console, bed, trader_files, signer_files.address)
    return report(traded, refused, drift_wei, time.monotonic() - started)


def report(traded: Traded, refused: int, drift_wei: int, seconds: float) -> int:
    """Print the last line; returns the exit code."""
    figures = {
        "trades_settled": traded.swaps,
        "venues": sorted(traded.venues),
        "approvals": traded.approvals,
        "refused": refused,
        "drift_wei": drift_wei,
        "open_orders": traded.open_orders,
        "seconds": round(seconds, 1),
    }
    print("DEMO " + json.dumps(figures), flush=True)
    shown = (
        traded.swaps >= 5,
        len(traded.venues) == 2,
        traded.approvals >= 1,
        refused >= 5,
        drift_wei == 0,
        traded.open_orders == 0,
    )
    return 0 if all(shown) else 1


def main() -> None:
    """Run in a folder that goes away with the demo."""
    console = Console(highlight=False)
    if not console.is_terminal:
        console = Console(highlight=False, width=WIDTH_OF_LOGS)
    with tempfile.TemporaryDirectory(prefix="airlock-demo-") as folder:
        sys.exit(asyncio.run(demo(console, Path(folder))))


if __name__ == "__main__":
    main()
