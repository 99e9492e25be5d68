"""What a mined transaction did to the wallet, from its Transfer logs; never from the quote. Pure."""

from trader.domain.ids import Address, AssetId, address_of, chain_of, native, token_of
from trader.domain.orders import Order, OrderKind
from trader.domain.quotes import Fill
from trader.ports.chain import Receipt


def fill_of(order: Order, receipt: Receipt) -> Fill:
    """Net amounts out of and into the wallet; zero for an approval and for a revert.

    What a top-up brought is what its recipient received.
    """
    spent, received = (0, 0) if receipt.reverted else _amounts(order, receipt)
    return Fill(
        transaction_hash=receipt.transaction_hash,
        block_number=receipt.block_number,
        block_hash=receipt.block_hash,
        reverted=receipt.reverted,
        spent=spent,
        received=received,
        fee_paid_wei=receipt.fee_paid_wei,
    )


def _amounts(order: Order, receipt: Receipt) -> tuple[int, int]:
    """Spent and received."""
    match order.kind:
        case OrderKind.APPROVAL:
            return 0, 0
        case OrderKind.SWAP:
            ours = address_of(order.wallet)
            return -_net(receipt, order.asset_in, ours), _net(receipt, order.asset_out, ours)
        case OrderKind.TOP_UP:
            return _transferred(order, receipt)


def _transferred(order: Order, receipt: Receipt) -> tuple[int, int]:
    """Coins leave no log: a transfer of them that was not reverted moved what was signed."""
    if order.recipient is None:
        raise ValueError(f"top-up {order.id} names no recipient")
    if order.asset_in == native(chain_of(order.wallet)):
        return order.amount_in, order.amount_in
    spent = -_net(receipt, order.asset_in, address_of(order.wallet))
    return spent, _net(receipt, order.asset_in, address_of(order.recipient))


def _net(receipt: Receipt, asset: AssetId, wallet: Address) -> int:
    """Received minus sent; a transfer to oneself is both."""
    token = token_of(asset)
    ours = [log for log in receipt.transfers if log.token == token]
    return sum(log.amount for log in ours if log.recipient == wallet) - sum(
        log.amount for log in ours if log.sender == wallet
    )
