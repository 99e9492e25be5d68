"""What a mined transaction did to the wallet, from its Transfer logs; never from the quote. Pure."""

from trader.domain.ids import Address, AssetId, address_of, token_of
from trader.domain.orders import Order, OrderKind
from trader.domain.quotes import Fill
from trader.ports.chain import Receipt


def fill_of(order: Order, receipt: Receipt) -> Fill:
    """Net amounts out of and into the wallet; zero for an approval and for a revert."""
    moves = order.kind is OrderKind.SWAP and not receipt.reverted
    return Fill(
        transaction_hash=receipt.transaction_hash,
        block_number=receipt.block_number,
        block_hash=receipt.block_hash,
        reverted=receipt.reverted,
        spent=-_net(receipt, order.asset_in, address_of(order.wallet)) if moves else 0,
        received=_net(receipt, order.asset_out, address_of(order.wallet)) if moves else 0,
        fee_paid_wei=receipt.fee_paid_wei,
    )


def _net(receipt: Receipt, asset: AssetId, wallet: Address) -> int:
    """Received minus sent; a transfer to oneself is both."""
    token = token_of(asset)
    ours = [log for log in receipt.transfers if log.token == token]
    return sum(log.amount for log in ours if log.recipient == wallet) - sum(
        log.amount for log in ours if log.sender == wallet
    )
