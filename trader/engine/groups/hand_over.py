"""An order whose account cannot sign ends, and one for the next account begins: one transaction, or neither.

Refuses to do so before the signer says that nothing was signed, and never twice for one account. The new
order has its own quote and its own key.
"""

import uuid

from trader.domain.errors import SignerHeldUpError
from trader.domain.ids import OrderId
from trader.domain.orders import Order, OrderKind
from trader.engine.attended.give_up import NOTHING_SIGNED, STOPPED, was_signed, withdraw_expired
from trader.engine.beliefs import words
from trader.engine.desk import Desk
from trader.engine.groups.choose import pick_account
from trader.portfolio.choosing import Pick
from trader.ports.order_store import Claim, NewOrder
from trader.ports.signer import Refused

CANNOT_SIGN = "its account cannot sign it"
"""How the reason of an order begins that ended so. An approval's swap goes on with another account."""

TOO_MUCH = frozenset(
    {"AMOUNT_TOO_HIGH", "APPROVAL_TOO_HIGH", "ROLLING_CAP_EXCEEDED", "RATE_EXCEEDED", "FEE_CAP_EXCEEDED"}
)
"""Reasons of a refusal that are this account's own: another account may sign."""


async def cannot_sign(desk: Desk, claim: Claim, error: SignerHeldUpError) -> Order | None:
    """What becomes of the order when its account cannot sign now; None when it waits on.

    The signer names an account that comes later in the wallet; whether another one takes it, the choice says.
    """
    if (error.instead is not None or error.reason in NOTHING_SIGNED) and error.reason not in STOPPED:
        ended = await _elsewhere(desk, claim, f"{CANNOT_SIGN}: {error.reason}")
        if ended is not None:
            return ended
    return await withdraw_expired(desk, claim, error)


async def too_much(desk: Desk, claim: Claim, refused: Refused) -> Order | None:
    """What becomes of an order that is only too much for its account; None for every other refusal."""
    if not all(refusal.reason in TOO_MUCH for refusal in refused.refusals):
        return None
    return await _elsewhere(desk, claim, f"{CANNOT_SIGN}: {words(refused)}")


async def hand_over(desk: Desk, claim: Claim, why: str) -> Order | None:
    """End the claimed swap, of which nothing was signed, and open the next one; None when nobody takes it."""
    order, now = claim.order, desk.clock.now()
    pick = await _pick(desk, order, order.id) if order.kind is OrderKind.SWAP else None
    if pick is None:
        return None
    following = NewOrder(
        id=following_id(order.id),
        kind=order.kind,
        wallet=pick.wallet,
        strategy=order.strategy,
        venue=order.venue,
        asset_in=order.asset_in,
        asset_out=order.asset_out,
        amount_in=pick.amount,
        max_slippage_bps=order.max_slippage_bps,
        live=order.live,
        created_at=now,
        expires_at=order.expires_at,
        wallet_group=order.wallet_group,
        follows=order.id,
    )
    closed = await desk.store.hand_over(claim, why, following, now)
    desk.bell.ring()
    return closed


async def _elsewhere(desk: Desk, claim: Claim, why: str) -> Order | None:
    order = claim.order
    if order.wallet_group is None or await was_signed(desk, order):
        return None
    if order.kind is OrderKind.SWAP:
        return await hand_over(desk, claim, why)
    if order.parent is None or await _pick(desk, order, order.parent) is None:
        return None
    # An approval only ends: its swap is woken by that, and goes on elsewhere.
    return await desk.store.deny(claim, why, desk.clock.now())


async def _pick(desk: Desk, order: Order, swap: OrderId) -> Pick | None:
    """The account that would take the swap, of those that were not asked for it yet."""
    group = None if order.wallet_group is None else desk.groups.get(order.wallet_group)
    if group is None or desk.clock.now() >= order.expires_at:
        return None
    tried = {one.wallet for one in await desk.store.line_of(swap)}
    return await pick_account(desk, group, order.asset_in, order.amount_in, without=tried)


def following_id(order: OrderId) -> OrderId:
    """Follows from the order, so that handing over twice is one order."""
    return OrderId(str(uuid.uuid5(uuid.UUID(order), "following")))
