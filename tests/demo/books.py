"""The trader's books beside the chain, asset by asset, to the wei."""

import asyncio

from rich.console import Console
from rich.table import Table

from tests.testbed.bed import Bed
from tests.testbed.trader_program import TraderFiles

ASSETS = ("USDX", "ABC", "WETH", "ETH")


async def drift(console: Console, bed: Bed, files: TraderFiles, address: str) -> int:
    """Print every balance and return the sum of the differences in base units."""
    said = await asyncio.to_thread(files.ask, "status")
    booked = {
        row["asset"]: int(row["free_base_units"]) + int(row["reserved_base_units"])
        for row in said["balances"]
    }
    table = Table("asset", "booked", "on the chain", "drift", title="base units", title_justify="left")
    total = 0
    for asset in ASSETS:
        on_chain = await bed.balance(address, asset)
        difference = booked[asset] - on_chain
        total += abs(difference)
        table.add_row(asset, str(booked[asset]), str(on_chain), str(difference))
    console.print(table)
    return total
