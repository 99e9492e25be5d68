"""Which venue makes the trade: the one that pays most, among those that the order allows."""

import asyncio

from trader.domain.ids import Address
from trader.domain.orders import Order
from trader.domain.quotes import Quote
from trader.engine.desk import Desk
from trader.ports.order_store import NewOrder
from trader.ports.venue import NoRoute, QuoteRequest, Venue

BEST = "best"


async def best_quote(desk: Desk, order: Order | NewOrder, spender: Address | None) -> Quote | NoRoute:
    """The quote with the highest amount out.

    `spender` binds the route to the router that has the order's allowance. Raises ChainUnavailableError.
    """
    request = QuoteRequest(
        wallet=order.wallet,
        asset_in=order.asset_in,
        asset_out=order.asset_out,
        amount_in=order.amount_in,
        max_slippage_bps=order.max_slippage_bps,
    )
    answers = await asyncio.gather(*(venue.quote(request) for venue in _allowed(desk, order)))
    quotes = [answer for answer in answers if isinstance(answer, Quote) and spender in (None, answer.spender)]
    if not quotes:
        whys = [answer.why for answer in answers if isinstance(answer, NoRoute)]
        return NoRoute(why="; ".join(whys) or f"no venue {order.venue!r} with the order's allowance")
    return max(quotes, key=lambda quote: quote.amount_out)


def _allowed(desk: Desk, order: Order | NewOrder) -> list[Venue]:
    return [venue for name, venue in desk.venues.items() if order.venue in (BEST, name)]
