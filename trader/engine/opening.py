"""A signal becomes an order: reserved at once when it needs no allowance, else an intent. Refuses nothing.

What stands against an order (no route, no funds, no node) is found again by its worker, and written down.
"""

import asyncio

from trader.domain.errors import ChainUnavailableError
from trader.engine.desk import Desk
from trader.engine.fees import current_fees
from trader.engine.routing import best_quote
from trader.ports.order_store import Claim, NewOrder
from trader.ports.venue import NoRoute


async def open_order(desk: Desk, new: NewOrder) -> None:
    """Write the order, in one transaction either way, and wake a worker."""
    # A live swap needs an exact allowance of its own first (docs/adr/0005), and its quote comes after that.
    if new.live or not await _reserved(desk, new):
        await desk.store.create(new)
    desk.bell.ring()


async def _reserved(desk: Desk, new: NewOrder) -> bool:
    """Quote before there is an order. False when anything stands against it; then nothing was written."""
    try:
        quote, fees = await asyncio.gather(best_quote(desk, new, None), current_fees(desk.chain, desk.config))
    except ChainUnavailableError:
        return False
    if isinstance(quote, NoRoute):
        return False
    now = desk.clock.now()
    draft = desk.venues[quote.venue].build(quote, fees, desk.deadline_s(new.wallet, now))
    opened = await desk.store.open_reserved(
        new, quote, draft, desk.config.limits, owner=new.strategy, now=now, lease_ms=0
    )
    return isinstance(opened, Claim)
