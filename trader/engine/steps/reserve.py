"""QUOTED → RESERVED: funds for the trade and its worst fee. Refuses a stale quote: it is made again."""

from trader.engine.desk import Desk
from trader.engine.results import StepResult
from trader.engine.steps import intent
from trader.ports.order_store import Claim, ReserveRefusal


async def step(desk: Desk, claim: Claim) -> StepResult:
    """Reserve, or quote anew, or refuse."""
    quote, now = claim.order.quote, desk.clock.now()
    if quote is None or now >= quote.expires_at or now >= claim.order.expires_at:
        return await intent.step(desk, claim)
    reserved = await desk.store.reserve(claim, desk.config.limits, now)
    if isinstance(reserved, ReserveRefusal):
        return await desk.store.deny(claim, f"portfolio: {reserved}", now)
    return reserved
