"""Allowances: at most one of a wallet's swaps uses a token and spender at a time. Exact amounts only."""

from trader.adapters.postgres.creation import (
    OPENING_ARGUMENTS,
    OPENING_STEPS,
    open_order,
    opening,
    verdict_on,
)
from trader.adapters.postgres.leases import lease_lost
from trader.adapters.postgres.part import Part, call
from trader.adapters.postgres.rows import approval_of
from trader.domain.ids import OrderId, token_of
from trader.domain.orders import OrderKind
from trader.domain.quotes import Quote, TransactionDraft
from trader.domain.time import UnixMs
from trader.ports.order_store import Approval, Claim, NewOrder, PortfolioLimits, ReserveRefusal


class Approvals(Part):
    """Ask for an allowance, see it, use it. Closing an order moves its allowance on; see transitions.py."""

    async def open_approval(
        self,
        claim: Claim,
        order: NewOrder,
        quote: Quote,
        draft: TransactionDraft,
        limits: PortfolioLimits,
        *,
        now: UnixMs,
        lease_ms: int,
    ) -> Claim | ReserveRefusal | None:
        """Open the approval of the claimed swap, reserved and held; None while another swap has its place.

        Only a Claim means that something was written. Raises LeaseLostError.
        """
        if order.kind is not OrderKind.APPROVAL or order.spender is None or order.parent != claim.order.id:
            raise ValueError(
                f"order {order.id} is no approval of {claim.order.id}: kind approval with spender and parent "
                "is allowed"
            )
        opened, arguments = opening(
            order, quote, draft, limits, owner=claim.owner, now=now, lease_ms=lease_ms
        )
        verdict = await open_order(
            self._database, _OPEN, opened, (claim.order.fence, token_of(order.asset_in), *arguments)
        )
        match verdict:
            case "swap_lost":
                raise lease_lost(claim)
            case "allowance_taken":
                return None
            case _:
                return verdict_on(opened, verdict)

    async def approval_of(self, swap: OrderId) -> Approval | None:
        """The newest approval of a swap."""
        row = await self._database.fetchrow(_NEWEST, swap)
        return None if row is None else approval_of(row)

    async def approval_usable(self, claim: Claim, now: UnixMs) -> None:
        """`allowance()` on the chain was seen to be enough for the swap that this claim holds."""
        order = claim.order
        if await self._database.fetchval(_USABLE, order.id, claim.owner, order.fence, now) is None:
            raise lease_lost(claim)


_OPEN = call("open_approval", 2 + OPENING_ARGUMENTS, *OPENING_STEPS)
_NEWEST = """
SELECT approvals.* FROM approvals WHERE swap = $1
 ORDER BY state IN ('requested', 'usable') DESC, created_at DESC, order_id DESC LIMIT 1
"""
_USABLE = """
WITH held AS (
  SELECT id FROM orders WHERE id = $1 AND lease_owner = $2 AND fence = $3 AND closed_at IS NULL
     FOR NO KEY UPDATE
), seen AS (
  UPDATE approvals SET state = 'usable', changed_at = $4 FROM held
   WHERE swap = held.id AND state = 'requested'
)
SELECT id FROM held
"""
