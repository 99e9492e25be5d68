"""Top-ups: out of one wallet of ours and into another. Both are booked in one transaction, or neither is."""

from typing_extensions import override

from trader.adapters.postgres.creation import (
    OPENING_ARGUMENTS,
    OPENING_STEPS,
    opening,
    verdict_on,
)
from trader.adapters.postgres.part import call
from trader.adapters.postgres.rows import booking_columns
from trader.adapters.postgres.transitions import Transitions
from trader.domain.orders import Order, OrderKind
from trader.domain.quotes import Fill, Quote, TransactionDraft
from trader.domain.time import UnixMs
from trader.portfolio.postings import arrival
from trader.ports.order_store import Claim, NewOrder, PortfolioLimits, ReserveRefusal

_OWNER = "treasury"


class TopUps(Transitions):
    """Opening and settling; every other step is that of any order."""

    async def open_top_up(
        self, order: NewOrder, quote: Quote, draft: TransactionDraft, *, quiet_since: UnixMs, now: UnixMs
    ) -> Claim | ReserveRefusal:
        """Create, quote and reserve in one transaction, under the locks of both wallets."""
        if order.kind is not OrderKind.TOP_UP or order.recipient is None or order.recipient == order.wallet:
            raise ValueError(f"order {order.id} is no top-up: kind top_up and another wallet are allowed")
        claim, arguments = opening(order, quote, draft, _NO_LIMITS, owner=_OWNER, now=now, lease_ms=0)
        async with self._database.transaction() as connection:
            known = await connection.fetch(_LOCK, [order.wallet, order.recipient])
            if len(known) != len({order.wallet, order.recipient}):
                raise ValueError(f"top-up {order.id}: both wallets must have been opened")
            if any(row["draining"] for row in known):
                return ReserveRefusal.WALLET_DRAINING
            if any(row["state"] == "halted" for row in known):
                return ReserveRefusal.WALLET_HALTED
            waits = await connection.fetchval(
                _WAITS, order.wallet, order.recipient, order.asset_in, quiet_since, order.live
            )
            if waits is True:
                return ReserveRefusal.TOP_UP_WAITS
            return verdict_on(claim, await connection.fetchval(_OPEN, *arguments))

    @override
    async def settle(self, claim: Claim, fill: Fill, now: UnixMs) -> Order:
        """FINAL_SUCCESS or FINAL_REVERT; what arrived is booked with the other wallet."""
        order = claim.order
        if order.recipient is None or fill.reverted:
            return await super().settle(claim, fill, now)
        async with self._database.transaction() as connection:
            await connection.fetch(_LOCK, [order.wallet, order.recipient])
            closed = await self._settled(claim, fill, now, fetchval=connection.fetchval)
            postings = arrival(order, received=fill.received)
            await connection.fetchval(_BOOK, order.recipient, order.id, now, *booking_columns(postings, {}))
        return closed


_NO_LIMITS = PortfolioLimits(max_position={}, cooldown_ms=0)
_LOCK = "SELECT id, state, draining FROM wallets WHERE id = ANY ($1::text[]) ORDER BY id FOR NO KEY UPDATE"
_WAITS = """
SELECT EXISTS (
  SELECT FROM orders WHERE kind = 'top_up' AND wallet = $1 AND recipient = $2 AND asset_in = $3
     AND (closed_at IS NULL OR (closed_at > $4 AND live = $5)))
"""
_OPEN = call("open_reserved_order", OPENING_ARGUMENTS, *OPENING_STEPS)
_BOOK = "SELECT book($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)"
