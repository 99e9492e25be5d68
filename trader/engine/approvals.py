"""The allowance that a swap needs first: a state machine of its own. Refuses to believe all but the chain.

requested → its transaction is mined and `allowance()` shows the amount → usable → consumed by the swap.
Amounts are exact. While one swap holds a token and router, another waits.
"""

import uuid
from enum import StrEnum

from trader.domain.ids import OrderId, address_of, token_of
from trader.domain.orders import CLOSED_STATES, Order, OrderKind, OrderState
from trader.domain.quotes import Quote
from trader.domain.time import UnixMs
from trader.engine.desk import Desk
from trader.ports.order_store import Approval, ApprovalState, Claim, NewOrder, ReserveRefusal
from trader.ports.venue import Fees

APPROVAL_LIFE_MS = 10_000
"""How long an approval's draft may wait for its signature; like a quote, so that its fees are fresh."""

_DONE = frozenset({OrderState.MINED, OrderState.SETTLED})


class Allowance(StrEnum):
    """Whether the swap may go on."""

    USABLE = "usable"
    PENDING = "pending"
    LOST = "lost"


async def standing(desk: Desk, claim: Claim, approval: Approval) -> Allowance:
    """Where the allowance of the claimed swap stands; what the chain newly shows is noted."""
    match approval.state:
        case ApprovalState.REQUESTED:
            return await _requested(desk, claim, approval)
        case ApprovalState.USABLE:
            return Allowance.USABLE if await _enough(desk, approval) else Allowance.LOST
        case ApprovalState.CONSUMED | ApprovalState.ABANDONED:
            return Allowance.LOST


async def request(desk: Desk, claim: Claim, quote: Quote, fees: Fees) -> Claim | ReserveRefusal | None:
    """Open the approval that the claimed swap needs for this quote, ready to be signed, and hold it too.

    None while another swap has this token and spender.
    """
    now, token = desk.clock.now(), token_of(quote.asset_in)
    return await desk.store.open_approval(
        claim,
        _approval_order(claim.order, quote, now),
        _approval_quote(quote, now),
        desk.approvals.build(token, quote.spender, quote.amount_in, fees, desk.deadline_s(quote.wallet, now)),
        desk.config.limits,
        now=now,
        lease_ms=desk.config.lease_ms,
    )


async def _requested(desk: Desk, claim: Claim, approval: Approval) -> Allowance:
    order = await desk.store.get(approval.order)
    if order is None:
        raise ValueError(
            f"approval of swap {approval.swap} names order {approval.order}, which does not exist"
        )
    # An allowance left from before does not count: our own approval would still come, after the swap.
    if order.state in _DONE and await _enough(desk, approval):
        await desk.store.approval_usable(claim, desk.clock.now())
        return Allowance.USABLE
    if order.state in CLOSED_STATES and order.state is not OrderState.SETTLED:
        return Allowance.LOST
    return Allowance.PENDING


async def _enough(desk: Desk, approval: Approval) -> bool:
    allowed = await desk.chain.allowance(approval.token, address_of(approval.wallet), approval.spender)
    return allowed >= approval.amount


def _approval_order(swap: Order, quote: Quote, now: UnixMs) -> NewOrder:
    return NewOrder(
        id=approval_id(swap.id),
        kind=OrderKind.APPROVAL,
        wallet=swap.wallet,
        strategy=swap.strategy,
        venue=quote.venue,
        asset_in=swap.asset_in,
        asset_out=swap.asset_in,  # it trades nothing: the pair's cool-down is its swap's
        amount_in=swap.amount_in,
        max_slippage_bps=swap.max_slippage_bps,
        live=swap.live,
        created_at=now,
        expires_at=swap.expires_at,
        parent=swap.id,
        spender=quote.spender,
        wallet_group=swap.wallet_group,
    )


def _approval_quote(quote: Quote, now: UnixMs) -> Quote:
    """An approval has no price; its quote only says what is approved, and how long its fees are fresh."""
    return Quote(
        wallet=quote.wallet,
        venue=quote.venue,
        asset_in=quote.asset_in,
        asset_out=quote.asset_out,
        path=quote.path[:1],
        fees=(),
        spender=quote.spender,
        amount_in=quote.amount_in,
        amount_out=0,
        minimum_out=0,
        block_number=quote.block_number,
        made_at=now,
        expires_at=UnixMs(now + APPROVAL_LIFE_MS),
    )


def approval_id(swap: OrderId) -> OrderId:
    """Follows from the swap, so that asking twice is one approval."""
    return OrderId(str(uuid.uuid5(uuid.UUID(swap), "approval")))
