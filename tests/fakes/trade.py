"""Orders, quotes and drafts of a made-up wallet, for tests of the trader's books."""

import uuid
from dataclasses import replace

from trader.domain.ids import Address, ChainName, OrderId, StrategyName, WalletId, erc20, native
from trader.domain.orders import Order, OrderKind, OrderState
from trader.domain.quotes import Fill, Quote, TransactionDraft
from trader.domain.time import UnixMs
from trader.ports.order_store import NewOrder, PortfolioLimits

CHAIN = ChainName("eip155:31337")
WALLET = WalletId(f"{CHAIN}:0x{'11' * 20}")
TOKEN, WETH, ROUTER = Address("0x" + "aa" * 20), Address("0x" + "bb" * 20), Address("0x" + "cc" * 20)
TKN, WRAPPED, COIN = erc20(CHAIN, TOKEN), erc20(CHAIN, WETH), native(CHAIN)
NOW = UnixMs(1_800_000_000_000)
NO_LIMITS = PortfolioLimits(max_position={}, cooldown_ms=0)
DRAFT = TransactionDraft(
    to=ROUTER,
    value_wei=0,
    data=bytes.fromhex("5ae401dc") + bytes(64),
    gas_limit=200_000,
    max_fee_per_gas_wei=50,
    max_priority_fee_per_gas_wei=1,
    deadline_s=1_800_000_120,
)
WORST_FEE = DRAFT.worst_fee_wei


def new_order(amount: int = 1_000, **changes: object) -> NewOrder:
    """A swap of WETH for TKN with an id of its own."""
    order = NewOrder(
        id=OrderId(str(uuid.uuid4())),
        kind=OrderKind.SWAP,
        wallet=WALLET,
        strategy=StrategyName("momentum"),
        venue="uniswap_v3",
        asset_in=WRAPPED,
        asset_out=TKN,
        amount_in=amount,
        max_slippage_bps=50,
        live=True,
        created_at=NOW,
        expires_at=UnixMs(NOW + 60_000),
    )
    return replace(order, **changes)  # type: ignore[arg-type]  # a test names the fields it changes


def new_approval(swap: NewOrder | Order, amount: int = 1_000) -> NewOrder:
    """The approval that a swap of `new_order` needs."""
    return new_order(amount, kind=OrderKind.APPROVAL, parent=swap.id, spender=ROUTER, asset_out=WRAPPED)


def quote_of(order: NewOrder | Order, amount_out: int = 2_000) -> Quote:
    """A quote, valid for ten seconds."""
    return Quote(
        wallet=order.wallet,
        venue=order.venue,
        asset_in=order.asset_in,
        asset_out=order.asset_out,
        path=(WETH, TOKEN),
        fees=(3000,),
        spender=ROUTER,
        amount_in=order.amount_in,
        amount_out=amount_out,
        minimum_out=amount_out * 995 // 1000,
        block_number=7,
        made_at=NOW,
        expires_at=UnixMs(NOW + 10_000),
    )


def fill(
    spent: int = 1_000, received: int = 1_999, fee_paid_wei: int = 77, *, reverted: bool = False
) -> Fill:
    """What a receipt says."""
    return Fill(
        transaction_hash="0x" + "ab" * 32,
        block_number=9,
        block_hash="0x" + "cd" * 32,
        reverted=reverted,
        spent=0 if reverted else spent,
        received=0 if reverted else received,
        fee_paid_wei=fee_paid_wei,
    )


def order_in(state: OrderState, new: NewOrder | None = None) -> Order:
    """An order as a value, quoted, in the given state."""
    made = new or new_order()
    return Order(
        id=made.id,
        kind=made.kind,
        wallet=made.wallet,
        strategy=made.strategy,
        venue=made.venue,
        asset_in=made.asset_in,
        asset_out=made.asset_out,
        amount_in=made.amount_in,
        max_slippage_bps=made.max_slippage_bps,
        live=made.live,
        created_at=made.created_at,
        expires_at=made.expires_at,
        fence=1,
        state=state,
        quote=quote_of(made),
        draft=DRAFT,
    )
