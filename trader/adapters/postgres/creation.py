"""How an order comes into being. The same id twice is one order."""

from dataclasses import fields

import asyncpg

from trader.adapters.postgres.leases import lease_lost
from trader.adapters.postgres.part import Part, call
from trader.adapters.postgres.pool import Database
from trader.adapters.postgres.rows import ORDER, order_of, plain
from trader.domain.ids import AssetId
from trader.domain.orders import Order, OrderEvent, OrderState, advance
from trader.domain.quotes import Quote, TransactionDraft
from trader.domain.time import UnixMs
from trader.portfolio.limits import reserve_guard
from trader.portfolio.postings import holds, incoming
from trader.ports.order_store import Claim, NewOrder, PortfolioLimits, ReserveRefusal

CREATED = "created"
"""First line of every history; it comes before the first event of the life cycle."""


class Creation(Part):
    """Intents, alone or with everything up to the reservation."""

    async def create(self, order: NewOrder) -> Order:
        """Write the intent; the same id again returns the order as it is."""
        intent = _order(order, fence=0, state=OrderState.INTENT)
        created = await self._database.fetchval(CREATE, *intent_columns(order))
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
        return verdict_on(claim, await open_order(self._database, _OPEN_RESERVED, claim, arguments))


def intent_columns(order: NewOrder) -> tuple[object, ...]:
    """Arguments that create an intent."""
    return (*_columns(order), OrderState.INTENT, CREATED)


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
    opened = _order(order, fence=1, state=_RESERVED, quote=quote, draft=draft)
    claim = Claim(order=opened, owner=owner, lease_until=UnixMs(now + lease_ms))
    guard = reserve_guard(
        opened,
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
        guard.exposure_at_most,
        guard.quiet_since,
        *_first_hold(opened),
    )
    return claim, arguments


async def open_order(
    database: Database, statement: str, claim: Claim, arguments: tuple[object, ...]
) -> object:
    """Verdict of a function that opens an order. Raises LeaseLostError when there is one of that id."""
    try:
        return await database.fetchval(statement, *arguments)
    except asyncpg.UniqueViolationError as error:
        if error.constraint_name != "orders_pkey":
            raise
        raise lease_lost(claim) from None


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

_QUOTED = advance(OrderState.INTENT, OrderEvent.QUOTE_MADE)
_RESERVED = advance(_QUOTED, OrderEvent.FUNDS_RESERVED)
OPENING_STEPS = (
    (OrderState.INTENT, _QUOTED, _RESERVED),
    (CREATED, OrderEvent.QUOTE_MADE, OrderEvent.FUNDS_RESERVED),
)
"""States and events of every opened order: constants of the statement, after the arguments."""

_NEW = tuple(field.name for field in fields(NewOrder))
CREATE = call("create_order", len(_NEW) + 2)
_ONE = f"SELECT {ORDER} FROM orders WHERE id = $1"  # noqa: S608  column names of our own
_OPEN_RESERVED = call("open_reserved_order", OPENING_ARGUMENTS, *OPENING_STEPS)


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


def _first_hold(order: Order) -> tuple[AssetId | int | None, ...]:
    """Two lines of asset and base units for what it holds, one for what it is to buy; None fills them up."""
    held: list[tuple[AssetId | int | None, ...]] = [*holds(order).items()]
    first, second = held + [_NO_LINE] * (_HELD_AT_MOST - len(held))
    pending = incoming(order)
    return (*first, *second, *((order.asset_out, pending) if pending else _NO_LINE))


_NO_LINE = (None, None)
_HELD_AT_MOST = 2
"""What it sells, and the chain's coin for the fee."""
