"""How an order comes into being. The same id twice is one order."""

from dataclasses import fields

from trader.adapters.postgres.leases import lease_lost
from trader.adapters.postgres.part import Part, call
from trader.adapters.postgres.rows import ORDER, booking_columns, order_of, plain
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
        created = await self._database.fetchval(_CREATE, *_columns(order), intent.state, CREATED)
        if created is True:
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
        claim, arguments = opening(order, quote, draft, limits, owner=owner, now=now, lease_ms=lease_ms)
        return verdict_on(claim, await self._database.fetchval(_OPEN_RESERVED, *arguments))


def intent_of(order: NewOrder) -> Order:
    """The order as it is in its first moment."""
    return _order(order, fence=0, state=OrderState.INTENT)


def opening(
    order: NewOrder,
    quote: Quote,
    draft: TransactionDraft,
    limits: PortfolioLimits,
    *,
    owner: str,
    now: UnixMs,
    lease_ms: int,
) -> tuple[Claim, tuple[object, ...]]:
    """The claim on an order that is RESERVED from its first moment, and the arguments that open it."""
    intent = intent_of(order)
    quoted = advance(intent.state, OrderEvent.QUOTE_MADE)
    reserved = advance(quoted, OrderEvent.FUNDS_RESERVED)
    after = _order(order, fence=1, state=reserved, quote=quote, draft=draft)
    claim = Claim(order=after, owner=owner, lease_until=UnixMs(now + lease_ms))
    guard = reserve_guard(
        after,
        max_position=limits.max_position.get(order.asset_out),
        cooldown_ms=limits.cooldown_ms,
        now=now,
    )
    arguments = (
        *_columns(order),
        plain(quote),
        plain(draft),
        owner,
        claim.lease_until,
        now,
        [intent.state, quoted, reserved],
        [CREATED, OrderEvent.QUOTE_MADE, OrderEvent.FUNDS_RESERVED],
        guard.exposure_at_most,
        guard.quiet_since,
        *booking_columns(change_of_holds(intent, after), change_of_incoming(intent, after)),
    )
    return claim, arguments


def verdict_on(claim: Claim, verdict: object) -> Claim | ReserveRefusal:
    """Answer of the SQL functions that reserve; `claim` is what the order is when they did."""
    match verdict:
        case "reserved":
            return claim
        case "lease_lost":
            raise lease_lost(claim)
        case _:
            return ReserveRefusal(str(verdict))


OPENING_ARGUMENTS = 30
"""As many as `opening` gives."""

_NEW = tuple(field.name for field in fields(NewOrder))
_CREATE = call("create_order", len(_NEW) + 2)
_ONE = f"SELECT {ORDER} FROM orders WHERE id = $1"  # noqa: S608  column names of our own
_OPEN_RESERVED = call("open_reserved_order", OPENING_ARGUMENTS)


def _order(
    order: NewOrder,
    *,
    fence: int,
    state: OrderState,
    quote: Quote | None = None,
    draft: TransactionDraft | None = None,
) -> Order:
    made = {name: getattr(order, name) for name in _NEW}
    return Order(**made, fence=fence, state=state, quote=quote, draft=draft)


def _columns(order: NewOrder) -> tuple[object, ...]:
    """In the order of the functions' first arguments, which is that of the fields."""
    return tuple(getattr(order, name) for name in _NEW)
