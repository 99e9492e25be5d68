"""INTENT → QUOTED: an allowance for a swap, a price, the unsigned transaction. Refuses to quote the expired.

Also QUOTED → QUOTED, when the quote went stale before funds were reserved.
"""

from trader.domain.ids import token_of
from trader.domain.orders import Order, OrderKind
from trader.domain.quotes import Quote
from trader.domain.time import MS_PER_S, UnixMs
from trader.engine.approvals import Allowance, secure
from trader.engine.desk import Desk
from trader.engine.fees import current_fees
from trader.engine.results import StepResult, wait
from trader.engine.routing import best_quote
from trader.ports.order_store import Claim
from trader.ports.venue import Fees, NoRoute

APPROVAL_LIFE_MS = 10_000
"""How long an approval's draft may wait for its signature; like a quote, so that its fees are fresh."""


async def step(desk: Desk, claim: Claim) -> StepResult:
    """Quote the order, or wait for its allowance, or give it up."""
    order = claim.order
    if desk.clock.now() >= order.expires_at:
        return await desk.store.give_up(claim, "expired before it was quoted", desk.clock.now())
    if order.kind is OrderKind.APPROVAL:
        return await _approval(desk, claim)
    approval = await desk.store.approval_of(order.id) if order.live else None
    quote = await best_quote(desk, order, None if approval is None else approval.spender)
    if isinstance(quote, NoRoute):
        return await desk.store.give_up(claim, f"no route: {quote.why}", desk.clock.now())
    if order.live:  # a dry run changes no allowance
        match await secure(desk, claim, approval, quote):
            case Allowance.PENDING:
                return wait(desk, claim, "allowance")
            case Allowance.LOST:
                return await desk.store.give_up(claim, await _why_lost(desk, order), desk.clock.now())
            case Allowance.USABLE:
                pass
    draft = desk.venues[quote.venue].build(quote, await _fees(desk), deadline_s(desk))
    return await desk.store.quoted(claim, quote, draft, desk.clock.now())


def deadline_s(desk: Desk) -> int:
    """When a transaction that is built now shall be void, unix seconds."""
    return desk.clock.now() // MS_PER_S + desk.config.swap_deadline_s


async def _approval(desk: Desk, claim: Claim) -> StepResult:
    """An approval has no price; its quote only says what is approved, and how long its fees are fresh."""
    order, now = claim.order, desk.clock.now()
    if order.spender is None:
        raise ValueError(f"approval {order.id} names no spender")
    head = await desk.chain.head()
    fees = await current_fees(desk.chain, desk.config, head)
    token = token_of(order.asset_in)
    draft = desk.approvals.build(token, order.spender, order.amount_in, fees, deadline_s(desk))
    quote = Quote(
        wallet=order.wallet,
        venue=order.venue,
        asset_in=order.asset_in,
        asset_out=order.asset_out,
        path=(token,),
        fees=(),
        spender=order.spender,
        amount_in=order.amount_in,
        amount_out=0,
        minimum_out=0,
        block_number=head.number,
        made_at=now,
        expires_at=UnixMs(now + APPROVAL_LIFE_MS),
    )
    return await desk.store.quoted(claim, quote, draft, now)


async def _fees(desk: Desk) -> Fees:
    return await current_fees(desk.chain, desk.config, await desk.chain.head())


async def _why_lost(desk: Desk, swap: Order) -> str:
    approval = await desk.store.approval_of(swap.id)
    order = None if approval is None else await desk.store.get(approval.order)
    if order is None:
        return "the allowance is gone"
    return f"its approval ended as {order.state}: {order.reason or 'the allowance is gone'}"
