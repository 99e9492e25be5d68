from dataclasses import replace

import pytest

from tests.fakes.trade import COIN, DRAFT, TKN, WORST_FEE, WRAPPED, new_approval, new_order, order_in
from trader.domain.ids import AssetId
from trader.domain.orders import OrderState
from trader.portfolio.postings import (
    BalanceChange,
    LedgerAccount,
    Posting,
    balance_changes,
    change_of_holds,
    change_of_incoming,
    closing,
    holds,
    incoming,
    opening,
)


def test_a_swap_holds_its_amount_and_its_worst_fee() -> None:
    assert holds(order_in(OrderState.RESERVED)) == {WRAPPED: 1_000, COIN: WORST_FEE}


def test_an_approval_holds_only_its_worst_fee_and_buys_nothing() -> None:
    order = order_in(OrderState.BROADCAST, new_approval(new_order()))

    assert holds(order) == {COIN: WORST_FEE}
    assert incoming(order) == 0


def test_a_swap_of_the_native_coin_holds_amount_and_fee_together() -> None:
    order = replace(
        order_in(OrderState.RESERVED, new_order(asset_in=COIN)), draft=replace(DRAFT, value_wei=1_000)
    )

    assert holds(order) == {COIN: 1_000 + WORST_FEE}


def test_value_that_the_books_do_not_know_is_refused() -> None:
    with pytest.raises(ValueError, match="its books expect 0 wei"):
        holds(replace(order_in(OrderState.RESERVED), draft=replace(DRAFT, value_wei=5)))


def test_a_settled_swap_pays_what_it_spent_and_gets_the_rest_back() -> None:
    postings = closing(order_in(OrderState.MINED), spent=900, received=1_999, fee_paid_wei=77)

    assert set(postings) == {
        _posting(LedgerAccount.RESERVED, WRAPPED, -1_000),
        _posting(LedgerAccount.FREE, WRAPPED, 100),
        _posting(LedgerAccount.TRADING, WRAPPED, 900),
        _posting(LedgerAccount.TRADING, TKN, -1_999),
        _posting(LedgerAccount.FREE, TKN, 1_999),
        _posting(LedgerAccount.RESERVED, COIN, -WORST_FEE),
        _posting(LedgerAccount.FREE, COIN, WORST_FEE - 77),
        _posting(LedgerAccount.GAS, COIN, 77),
    }


def test_a_reverted_swap_pays_its_fee_and_nothing_else() -> None:
    changes = balance_changes(closing(order_in(OrderState.MINED), spent=0, received=0, fee_paid_wei=77), {})

    assert set(changes) == {
        BalanceChange(asset=WRAPPED, free=1_000, reserved=-1_000, incoming=0),
        BalanceChange(asset=COIN, free=WORST_FEE - 77, reserved=-WORST_FEE, incoming=0),
    }


def test_an_order_that_never_reserved_closes_without_a_posting() -> None:
    assert closing(order_in(OrderState.QUOTED), spent=0, received=0, fee_paid_wei=0) == ()


def test_a_dearer_draft_holds_the_difference_too() -> None:
    before = order_in(OrderState.RESERVED)
    after = replace(
        before, state=OrderState.SIGN_REQUESTED, draft=replace(DRAFT, gas_limit=DRAFT.gas_limit + 1)
    )

    assert set(change_of_holds(before, after)) == {
        _posting(LedgerAccount.FREE, COIN, -DRAFT.max_fee_per_gas_wei),
        _posting(LedgerAccount.RESERVED, COIN, DRAFT.max_fee_per_gas_wei),
    }
    assert change_of_incoming(before, after) == {}


def test_opening_balances_stand_against_equity_and_nothing_is_no_entry() -> None:
    assert opening({COIN: 5, TKN: 0}) == (
        _posting(LedgerAccount.OPENING, COIN, -5),
        _posting(LedgerAccount.FREE, COIN, 5),
    )


def test_a_negative_amount_cannot_be_booked() -> None:
    with pytest.raises(ValueError, match="0 or more can"):
        closing(order_in(OrderState.MINED), spent=-1, received=0, fee_paid_wei=0)


def test_an_order_without_a_draft_cannot_reserve() -> None:
    with pytest.raises(ValueError, match="only a quoted order can reserve"):
        holds(replace(order_in(OrderState.RESERVED), draft=None))


def _posting(account: LedgerAccount, asset: AssetId, amount: int) -> Posting:
    return Posting(account=account, asset=asset, amount=amount)
