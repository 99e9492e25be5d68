"""`release`: lets a halted wallet trade again; refuses while its books and the chain differ."""

from trader.app import open_office
from trader.cli.exit_codes import ExitCode
from trader.cli.show import show
from trader.engine.reconcile import compare_books
from trader.settings import Settings


async def release(settings: Settings, *, as_json: bool) -> int:
    """Compare once more, then release."""
    async with open_office(settings) as office:
        drift = await compare_books(office.desk, office.wallet, office.assets)
        agree = drift is not None and not drift.by_asset
        if agree:
            await office.store.release_wallet(office.wallet, office.desk.clock.now())
    gaps = {} if drift is None else drift.by_asset
    show(
        {
            "wallet": [{"wallet": office.wallet, "released": agree, "compared": drift is not None}],
            "drift": [{"asset": asset, "chain_minus_books": str(gap)} for asset, gap in gaps.items()],
        },
        as_json=as_json,
    )
    return ExitCode.OK if agree else ExitCode.FOUND_A_PROBLEM
