"""Which account of a wallet trades, for any accounts and amounts: never one that cannot, never too much."""

from hypothesis import given
from hypothesis import strategies as st

from trader.domain.ids import WalletId
from trader.portfolio.choosing import Candidate, pick_smaller, pick_whole

amounts = st.integers(1, 2**256 - 1)


@st.composite
def candidates(draw: st.DrawFn) -> list[Candidate]:
    return [
        Candidate(
            wallet=WalletId(f"eip155:1:0x{number:040x}"),
            would_sign=draw(st.booleans()),
            most=draw(st.integers(0, 2**256 - 1)),
            free=draw(st.integers(0, 2**256 - 1)),
        )
        for number in range(draw(st.integers(0, 4)))
    ]


@given(candidates(), amounts)
def test_the_whole_amount_is_the_first_account_s_that_would_sign_it_and_has_it(
    found: list[Candidate], amount: int
) -> None:
    pick = pick_whole(found, amount)
    able = [one.wallet for one in found if one.would_sign and one.free >= amount]

    assert (pick is None) == (not able)
    if pick is not None:
        assert (pick.wallet, pick.amount) == (able[0], amount)


@given(candidates(), amounts, amounts)
def test_a_smaller_amount_is_the_largest_that_any_account_would_sign_and_has(
    found: list[Candidate], amount: int, least: int
) -> None:
    pick = pick_smaller(found, amount, least)
    most = max((min(one.most, one.free, amount) for one in found), default=0)

    assert (pick is None) == (most < least)
    if pick is not None:
        taken = next(one for one in found if one.wallet == pick.wallet)
        assert pick.amount == most <= min(taken.most, taken.free, amount)
        assert pick.amount >= least
