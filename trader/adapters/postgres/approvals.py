"""Allowances: at most one of a wallet's swaps uses a token and spender at a time. Exact amounts only."""

from trader.adapters.postgres.creation import CREATE_ORDER, creation_arguments, intent_of
from trader.adapters.postgres.leases import lease_lost
from trader.adapters.postgres.part import Part
from trader.adapters.postgres.rows import approval_of
from trader.domain.ids import OrderId, token_of
from trader.domain.orders import OrderKind
from trader.domain.time import UnixMs
from trader.ports.order_store import Approval, Claim, NewOrder


class Approvals(Part):
    """Ask for an allowance, see it, use it. Closing an order moves its allowance on; see transitions.py."""

    async def request_approval(self, claim: Claim, approval_order: NewOrder, now: UnixMs) -> Approval | None:
        """Create the approval and its order for a swap; None while another swap holds this token and spender.

        A swap that has an active approval gets that one again. Raises LeaseLostError.
        """
        if approval_order.kind is not OrderKind.APPROVAL or approval_order.spender is None:
            raise ValueError(
                f"order {approval_order.id} is no approval: kind approval with a spender is allowed"
            )
        token = token_of(approval_order.asset_in)
        async with self._database.transaction() as connection:
            if await connection.fetchval(_HOLD, claim.order.id, claim.owner, claim.order.fence) is None:
                raise lease_lost(claim)
            slot = (claim.order.wallet, token, approval_order.spender)
            # Waits for a rival's transaction to end, so the answer below is not a guess.
            await connection.execute("SELECT pg_advisory_xact_lock(hashtextextended($1, 0))", " ".join(slot))
            active = await connection.fetchrow(_ACTIVE, *slot)
            if active is not None:
                approval = approval_of(active)
                return approval if approval.swap == claim.order.id else None
            if not await connection.fetchval(CREATE_ORDER, *creation_arguments(intent_of(approval_order))):
                raise ValueError(f"order {approval_order.id} exists already: a fresh id is allowed")
            made = await connection.fetchrow(
                _MAKE, approval_order.id, claim.order.id, *slot, approval_order.amount_in, now
            )
        return None if made is None else approval_of(made)

    async def approval_of(self, swap: OrderId) -> Approval | None:
        """The newest approval of a swap."""
        row = await self._database.fetchrow(_NEWEST, swap)
        return None if row is None else approval_of(row)

    async def approval_usable(self, claim: Claim, now: UnixMs) -> None:
        """`allowance()` on the chain was seen to be enough for the swap that this claim holds."""
        order = claim.order
        if await self._database.fetchval(_USABLE, order.id, claim.owner, order.fence, now) is None:
            raise lease_lost(claim)


_HOLD = """
SELECT id FROM orders WHERE id = $1 AND lease_owner = $2 AND fence = $3 AND closed_at IS NULL
   FOR NO KEY UPDATE
"""
_ACTIVE = """
SELECT * FROM approvals WHERE wallet = $1 AND token = $2 AND spender = $3 AND state IN ('requested', 'usable')
"""
_MAKE = """
INSERT INTO approvals (order_id, swap, wallet, token, spender, amount, state, created_at, changed_at)
VALUES ($1, $2, $3, $4, $5, $6, 'requested', $7, $7) RETURNING *
"""
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
