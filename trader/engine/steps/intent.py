"""INTENT → QUOTED: an allowance for a swap, a price, the unsigned transaction. Refuses to quote the expired.

Also QUOTED → QUOTED, when the quote went stale before funds were reserved.
"""

import asyncio

from trader.domain.orders import Order, OrderKind
from trader.domain.quotes import Quote
from trader.engine import approvals
from trader.engine.approvals import Allowance
from trader.engine.desk import Desk
from trader.engine.fees import current_fees
from trader.engine.groups.hand_over import CANNOT_SIGN, hand_over
from trader.engine.results import StepResult, wait
from trader.engine.routing import best_quote
from trader.ports.order_store import Claim, ReserveRefusal
from trader.ports.venue import Fees, NoRoute


async def step(desk: Desk, claim: Claim) -> StepResult:
    """Quote the order, or wait for its allowance, or give it up."""
    order = claim.order
    if order.kind is not OrderKind.SWAP:
        raise ValueError(f"{order.kind} {order.id} is {order.state}: it is reserved when it is opened")
    if desk.clock.now() >= order.expires_at:
        return await desk.store.give_up(claim, "expired before it was quoted", desk.clock.now())
    approval = await desk.store.approval_of(order.id) if order.live else None
    if approval is not None:
        match await approvals.standing(desk, claim, approval):
            case Allowance.PENDING:
                return wait(desk, claim, "allowance", patient=True)  # its approval wakes it
            case Allowance.LOST:
                return await _lost(desk, claim)
            case Allowance.USABLE:
                pass
    quote, fees = await asyncio.gather(
        best_quote(desk, order, None if approval is None else approval.spender),
        current_fees(desk.chain, desk.config),
    )
    if isinstance(quote, NoRoute):
        return await desk.store.give_up(claim, f"no route: {quote.why}", desk.clock.now())
    if order.live and approval is None:  # a dry run changes no allowance
        return await _approve_first(desk, claim, quote, fees)
    now = desk.clock.now()
    draft = desk.venues[quote.venue].build(quote, fees, desk.deadline_s(order.wallet, now))
    return await desk.store.quoted(claim, quote, draft, now)


async def _approve_first(desk: Desk, claim: Claim, quote: Quote, fees: Fees) -> StepResult:
    approval = await approvals.request(desk, claim, quote, fees)
    match approval:
        case Claim():
            return wait(desk, claim, "allowance", patient=True, first=approval)
        case ReserveRefusal():
            return await desk.store.deny(claim, f"portfolio: {approval}", desk.clock.now())
        case None:
            return wait(desk, claim, "another swap has the allowance of this token and router")


async def _lost(desk: Desk, claim: Claim) -> StepResult:
    """The swap ends with its approval; or goes on elsewhere, when the account could not sign even that."""
    approval = await desk.store.approval_of(claim.order.id)
    order = None if approval is None else await desk.store.get(approval.order)
    if order is not None and (order.reason or "").startswith(CANNOT_SIGN):
        handed_over = await hand_over(desk, claim, order.reason or CANNOT_SIGN)
        if handed_over is not None:
            return handed_over
    return await desk.store.give_up(claim, _why_lost(order), desk.clock.now())


def _why_lost(approval: Order | None) -> str:
    if approval is None:
        return "the allowance is gone"
    return f"its approval ended as {approval.state}: {approval.reason or 'the allowance is gone'}"
