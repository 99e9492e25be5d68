"""What must hold before a swap may reserve: room for the position, quiet since the last. Reads nothing.

The rule becomes two numbers here, and the store compares them with its rows under the wallet's lock: a rule
that read the rows first and decided later could be overtaken by another process in between.
"""

from dataclasses import dataclass

from trader.domain.orders import Order, OrderKind
from trader.domain.time import UnixMs


@dataclass(frozen=True, slots=True, kw_only=True)
class ReserveGuard:
    """Thresholds for one reservation; None means that the rule does not apply.

    `exposure_at_most`: held + pending buys of the asset bought, base units, before this order.
    `quiet_since`: no reservation for the same pair and direction may be later than this.
    """

    exposure_at_most: int | None
    quiet_since: UnixMs | None


def reserve_guard(order: Order, *, max_position: int | None, cooldown_ms: int, now: UnixMs) -> ReserveGuard:
    """Thresholds so that held + pending buys + this order stay within `max_position` of the asset bought.

    Only a swap buys anything. Any earlier reservation counts for the cool-down, also one that the signer
    denied: it keeps a hopeless trade from hammering the signer. An order that follows one whose account could
    not sign is the same trade: it has no cool-down of its own.
    """
    if order.kind is not OrderKind.SWAP:
        return ReserveGuard(exposure_at_most=None, quiet_since=None)
    if order.quote is None:
        raise ValueError(f"order {order.id} has no quote: only a quoted order can reserve")
    return ReserveGuard(
        exposure_at_most=None if max_position is None else max_position - order.quote.amount_out,
        quiet_since=UnixMs(now - cooldown_ms) if cooldown_ms > 0 and order.follows is None else None,
    )
