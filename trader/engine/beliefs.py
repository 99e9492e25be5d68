"""What we tell the signer that a transaction does, from the order alone: the same at every asking. Pure."""

from trader.domain.ids import address_of, chain_of, native, token_of
from trader.domain.orders import Order, OrderKind
from trader.ports.signer import ApprovalBelief, Belief, Refused, SwapBelief, TransferBelief


def belief_of(order: Order) -> Belief:
    """Belief about the order's own draft."""
    if order.kind is OrderKind.APPROVAL:
        if order.spender is None:
            raise ValueError(f"approval {order.id} names no spender")
        return ApprovalBelief(token=token_of(order.asset_in), spender=order.spender, amount=order.amount_in)
    if order.kind is OrderKind.TOP_UP:
        if order.recipient is None:
            raise ValueError(f"top-up {order.id} names no recipient")
        coins = order.asset_in == native(chain_of(order.wallet))
        return TransferBelief(
            token=None if coins else token_of(order.asset_in),
            recipient=address_of(order.recipient),
            amount=order.amount_in,
        )
    quote = order.quote
    if quote is None:
        raise ValueError(f"order {order.id} has no quote")
    return SwapBelief(
        token_in=token_of(quote.asset_in),
        token_out=token_of(quote.asset_out),
        amount_in=quote.amount_in,
        minimum_out=quote.minimum_out,
        quoted_out=quote.amount_out,
        quoted_at=quote.made_at,
    )


def words(refused: Refused) -> str:
    """The signer's reasons in one line, codes first."""
    return "; ".join(
        f"{refusal.reason} ({', '.join(f'{key} {value}' for key, value in sorted(refusal.metadata.items()))})"
        for refusal in refused.refusals
    )
