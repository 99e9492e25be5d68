from collections import defaultdict
from collections.abc import Iterable
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from tests.fakes.trade import COIN, DRAFT, TKN, WALLET, WRAPPED, new_approval, new_order, order_in, quote_of
from trader.domain.ids import AssetId
from trader.domain.orders import TRANSITIONS, Order, OrderKind, OrderState
from trader.portfolio.postings import (
    BalanceChange,
    LedgerAccount,
    Posting,
    arrival,
    balance_changes,
    change_of_holds,
    change_of_incoming,
    closing,
    holds,
    incoming,
    opening,
)

amounts = st.integers(0, 2**256 - 1)
assets = st.sampled_from([COIN, WRAPPED, TKN])


@st.composite
def orders(draw: st.DrawFn) -> Order:
    asset_in, asset_out = draw(assets), draw(assets)
    new = new_order(draw(amounts), asset_in=asset_in, asset_out=asset_out)
    if draw(st.booleans()) and asset_in != COIN:
        new = replace(new_approval(new, new.amount_in), asset_in=asset_in)
    draft = replace(
        DRAFT,
        gas_limit=draw(st.integers(0, 2**64)),
        max_fee_per_gas_wei=draw(st.integers(0, 2**128)),
        value_wei=new.amount_in if asset_in == COIN else 0,
    )
    order = order_in(draw(st.sampled_from(OrderState)), new)
    return replace(order, draft=draft, quote=quote_of(order, draw(amounts)))


@given(orders(), amounts, amounts, amounts)
def test_closing_sums_to_zero_per_asset_and_leaves_no_hold(
    order: Order, spent: int, received: int, fee: int
) -> None:
    postings = closing(order, spent=spent, received=received, fee_paid_wei=fee)

    assert _sums(postings) == {}
    changes = {change.asset: change for change in balance_changes(postings, {})}
    for asset in {*changes, *holds(order)}:
        change = changes.get(asset, BalanceChange(asset=asset, free=0, reserved=0, incoming=0))
        assert change.reserved == -holds(order).get(asset, 0)
        lost = (asset == order.asset_in) * spent + (asset == COIN) * fee
        assert change.free + change.reserved == (asset == order.asset_out) * received - lost


@given(orders(), orders(), st.data())
def test_any_step_moves_exactly_the_difference_of_the_holds(
    before: Order, other: Order, data: st.DataObject
) -> None:
    following = list(TRANSITIONS[before.state].values()) or [before.state]
    after = replace(before, state=data.draw(st.sampled_from(following)))
    if after.asset_in == other.asset_in and after.kind is other.kind and after.amount_in == other.amount_in:
        after = replace(after, draft=other.draft)
    postings = change_of_holds(before, after)

    assert _sums(postings) == {}
    changes = {c.asset: c for c in balance_changes(postings, change_of_incoming(before, after))}
    for asset in {COIN, WRAPPED, TKN}:
        change = changes.get(asset, BalanceChange(asset=asset, free=0, reserved=0, incoming=0))
        assert change.reserved == holds(after).get(asset, 0) - holds(before).get(asset, 0)
        assert change.free == -change.reserved
        assert change.incoming == (asset == after.asset_out) * (incoming(after) - incoming(before))


@given(assets, amounts, st.integers(0, 2**64), amounts)
def test_a_top_up_leaves_one_wallet_and_comes_to_the_other_to_the_base_unit(
    asset: AssetId, amount: int, gas_limit: int, fee: int
) -> None:
    value = amount if asset == COIN else 0
    new = new_order(amount, kind=OrderKind.TOP_UP, asset_in=asset, asset_out=asset, recipient=WALLET)
    order = replace(
        order_in(OrderState.MINED, new), draft=replace(DRAFT, gas_limit=gas_limit, value_wei=value)
    )
    left = closing(order, spent=amount, received=amount, fee_paid_wei=fee)
    came = arrival(order, received=amount)

    assert _sums(left) == _sums(came) == {}
    assert incoming(order) == 0
    out = {change.asset: change.free + change.reserved for change in balance_changes(left, {})}
    into = {change.asset: change.free + change.reserved for change in balance_changes(came, {})}
    paid = {COIN: fee} if fee else {}
    assert _sums_of(out, into) == {coin: -wei for coin, wei in paid.items()}
    moved = [posting.amount for posting in (*left, *came) if posting.account is LedgerAccount.MOVED]
    assert sum(moved) == 0


@given(st.dictionaries(assets, amounts))
def test_opening_sums_to_zero_and_frees_every_balance(balances: dict[AssetId, int]) -> None:
    postings = opening(balances)

    assert _sums(postings) == {}
    assert {change.asset: change.free for change in balance_changes(postings, {})} == {
        asset: amount for asset, amount in balances.items() if amount
    }


def _sums_of(*changes: dict[AssetId, int]) -> dict[AssetId, int]:
    total: dict[AssetId, int] = defaultdict(int)
    for change in changes:
        for asset, amount in change.items():
            total[asset] += amount
    return {asset: amount for asset, amount in total.items() if amount}


def _sums(postings: Iterable[Posting]) -> dict[AssetId, int]:
    sums: dict[AssetId, int] = defaultdict(int)
    for posting in postings:
        sums[posting.asset] += posting.amount
    return {asset: amount for asset, amount in sums.items() if amount}
