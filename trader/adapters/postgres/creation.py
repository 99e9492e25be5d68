"""How an order comes into being. The same id twice is one order."""

from dataclasses import replace

from trader.adapters.postgres.leases import lease_lost
from trader.adapters.postgres.part import Part, call
from trader.adapters.postgres.rows import ORDER, booking_columns, changes_json, order_json, order_of
from trader.domain.orders import Order, OrderEvent, OrderState, advance
from trader.domain.quotes import Quote, TransactionDraft
from trader.domain.time import UnixMs
from trader.portfolio.limits import reserve_guard
from trader.portfolio.postings import change_of_holds, change_of_incoming
from trader.ports.order_store import Claim, NewOrder, PortfolioLimits, ReserveRefusal

CREATED = "created"
"""First line of every history; it comes before the first event of the life cycle."""


class Creation(Part):
    """Intents, alone or with everything up to the reservation."""

    async def create(self, order: NewOrder) -> Order:
        """Write the intent; the same id again returns the order as it is."""
        intent = intent_of(order)
        if await self._database.fetchval(CREATE_ORDER, *creation_arguments(intent)) is True:
            return intent
        row = await self._database.fetchrow(_ONE, order.id)
        if row is None:
            raise RuntimeError(f"order {order.id} is neither new nor there: orders are never deleted")
        return order_of(row)

    async def open_reserved(
        self,
        order: NewOrder,
        quote: Quote,
        draft: TransactionDraft,
        limits: PortfolioLimits,
        *,
        owner: str,
        now: UnixMs,
        lease_ms: int,
    ) -> Claim | ReserveRefusal:
        """Create, quote and reserve in one transaction, and hold the order; a refusal writes nothing.

        Raises LeaseLostError when there is an order of that id already: it is claimed like any other.
        """
        intent = replace(intent_of(order), fence=1)
        quoted = replace(intent, state=advance(intent.state, OrderEvent.QUOTE_MADE), quote=quote, draft=draft)
        reserved = replace(quoted, state=advance(quoted.state, OrderEvent.FUNDS_RESERVED))
        claim = Claim(order=reserved, owner=owner, lease_until=UnixMs(now + lease_ms))
        guard = reserve_guard(
            quoted,
            max_position=limits.max_position.get(order.asset_out),
            cooldown_ms=limits.cooldown_ms,
            now=now,
        )
        verdict = await self._database.fetchval(
            _OPEN_RESERVED,
            _row(reserved, seq=3)
            | {"reserved_at": now, "lease_owner": owner, "lease_until": claim.lease_until},
            [
                _history(1, None, intent, CREATED, at=now),
                _history(2, intent, quoted, OrderEvent.QUOTE_MADE, at=now, owner=owner),
                _history(3, quoted, reserved, OrderEvent.FUNDS_RESERVED, at=now, owner=owner),
            ],
            order.id,
            now,
            order.wallet,
            order.asset_in,
            order.asset_out,
            guard.exposure_at_most,
            guard.quiet_since,
            *booking_columns(change_of_holds(quoted, reserved), change_of_incoming(quoted, reserved)),
        )
        return verdict_on(claim, verdict)


def intent_of(order: NewOrder) -> Order:
    """The order as it is in its first moment."""
    return Order(
        **{name: getattr(order, name) for name in NewOrder.__dataclass_fields__},
        fence=0,
        state=OrderState.INTENT,
    )


def creation_arguments(intent: Order) -> tuple[object, object]:
    """Arguments of `CREATE_ORDER`."""
    return _row(intent, seq=1), [_history(1, None, intent, CREATED, at=intent.created_at)]


def verdict_on(claim: Claim, verdict: object) -> Claim | ReserveRefusal:
    """Answer of the SQL functions that reserve; `claim` is what the order is when they did."""
    match verdict:
        case "reserved":
            return claim
        case "lease_lost":
            raise lease_lost(claim)
        case _:
            return ReserveRefusal(str(verdict))


CREATE_ORDER = call("create_order", 2)

_ONE = f"SELECT {ORDER} FROM orders WHERE id = $1"  # noqa: S608  column names of our own
_OPEN_RESERVED = (
    "SELECT open_reserved_order($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)"
)


def _row(order: Order, *, seq: int) -> dict[str, object]:
    return order_json(order) | {"due_at": order.created_at, "last_seq": seq}


def _history(
    seq: int, before: Order | None, after: Order, event: str, *, at: UnixMs, owner: str | None = None
) -> dict[str, object]:
    return {
        "order_id": after.id,
        "seq": seq,
        "at": at,
        "from_state": None if before is None else before.state,
        "to_state": after.state,
        "event": event,
        "detail": {} if before is None else changes_json(before, after),
        "fence": after.fence,
        "owner": owner,
    }
