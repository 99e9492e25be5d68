"""`release`: lets halted wallets trade again; refuses each whose books and chain differ."""

from collections.abc import Mapping

from trader.app import open_office
from trader.cli.exit_codes import ExitCode
from trader.cli.show import Cell, show
from trader.engine.reconcile import compare_books
from trader.settings import Settings


async def release(settings: Settings, *, as_json: bool) -> int:
    """Compare each wallet once more, then release it."""
    rows: list[Mapping[str, Cell]] = []
    gaps: list[Mapping[str, Cell]] = []
    async with open_office(settings) as office:
        for wallet in office.wallets:
            drift = await compare_books(office.desk, wallet, office.assets)
            by_asset = {} if drift is None else drift.by_asset
            agree = drift is not None and not by_asset
            if agree:
                await office.store.release_wallet(wallet, office.desk.clock.now())
            rows.append({"wallet": wallet, "released": agree, "compared": drift is not None})
            gaps += [
                {"wallet": wallet, "asset": asset, "chain_minus_books": str(gap)}
                for asset, gap in by_asset.items()
            ]
    show({"wallet": rows, "drift": gaps}, as_json=as_json)
    return ExitCode.OK if all(row["released"] for row in rows) else ExitCode.FOUND_A_PROBLEM
