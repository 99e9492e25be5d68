"""Who may advance an order: claims with a lease and a fencing token. Never gives one order to two owners."""

from collections.abc import Sequence
from dataclasses import replace

from trader.adapters.postgres.part import Part
from trader.adapters.postgres.rows import ORDER, order_of
from trader.domain.errors import LeaseLostError
from trader.domain.ids import OrderId
from trader.domain.time import UnixMs
from trader.ports.order_store import Claim


class Leases(Part):
    """Claim, renew, let go."""

    async def claim(self, owner: str, now: UnixMs, lease_ms: int, limit: int) -> Sequence[Claim]:
        """Take open orders that are due and that nobody holds, oldest due first.

        Each order's fence grows by one.
        """
        until = UnixMs(now + lease_ms)
        rows = await self._database.fetch(_CLAIM, owner, now, until, limit)
        return tuple(Claim(order=order_of(row), owner=owner, lease_until=until) for row in rows)

    async def renew(self, claim: Claim, now: UnixMs, lease_ms: int) -> Claim:
        """Hold the order longer."""
        until = UnixMs(now + lease_ms)
        if (
            await self._database.fetchval(_RENEW, claim.order.id, claim.owner, claim.order.fence, until)
            is None
        ):
            raise lease_lost(claim)
        return replace(claim, lease_until=until)

    async def let_go(self, claim: Claim, due_at: UnixMs) -> None:
        """Give the order back, to be claimed again from `due_at` on."""
        if (
            await self._database.fetchval(_LET_GO, claim.order.id, claim.owner, claim.order.fence, due_at)
            is None
        ):
            raise lease_lost(claim)

    async def wake(self, order: OrderId, now: UnixMs) -> None:
        """What an open order waited for has come: it is due now."""
        await self._database.fetchval(_WAKE, order, now)


def lease_lost(claim: Claim) -> LeaseLostError:
    """The error of every guarded write that found another owner, fence or state."""
    return LeaseLostError(
        f"order {claim.order.id} is not held by {claim.owner} with fence {claim.order.fence} "
        f"in state {claim.order.state} any more: nothing was written"
    )


_CLAIM = f"""
WITH due AS (
  SELECT id AS due_id FROM orders
   WHERE closed_at IS NULL AND due_at <= $2 AND (lease_until IS NULL OR lease_until <= $2)
   ORDER BY due_at, id LIMIT $4 FOR NO KEY UPDATE SKIP LOCKED
), claimed AS (
  UPDATE orders SET lease_owner = $1, lease_until = $3, fence = fence + 1
    FROM due WHERE id = due_id RETURNING *
)
SELECT {ORDER} FROM claimed ORDER BY due_at, id
"""  # noqa: S608  column names of our own
_RENEW = """
UPDATE orders SET lease_until = $4 WHERE id = $1 AND lease_owner = $2 AND fence = $3 RETURNING fence
"""
_LET_GO = """
UPDATE orders SET lease_owner = NULL, lease_until = NULL, due_at = $4
 WHERE id = $1 AND lease_owner = $2 AND fence = $3 RETURNING fence
"""
_WAKE = "UPDATE orders SET due_at = $2 WHERE id = $1 AND closed_at IS NULL AND due_at > $2"
