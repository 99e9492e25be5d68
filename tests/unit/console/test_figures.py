"""Figures as people read them: exact, or rounded against the reader and marked."""

from decimal import ROUND_FLOOR, Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from signer.cli.console.figures import bar, left, number, paid, price, received, time_of_day, window
from signer.domain.time import UnixMs
from signer.service.approvals.brief import AssetAmount


def amount(units: int, decimals: int = 18, symbol: str = "WETH") -> AssetAmount:
    return AssetAmount(asset="0xa", symbol=symbol, decimals=decimals, amount=units)


@pytest.mark.parametrize(
    ("units", "decimals", "shown"),
    [
        (0, 18, "0"),
        (1_234_567_890_000, 6, "1,234,567.89"),
        (10**18, 18, "1"),
        (1, 8, "0.00000001"),
        (-1_500_000, 6, "-1.5"),
        (7, 0, "7"),
        (123_456_789_012, 18, "~0.0000001235"),
    ],
)
def test_a_number_is_exact_where_it_is_short(units: int, decimals: int, shown: str) -> None:
    assert number(units, decimals) == shown


def test_what_leaves_is_rounded_up_and_what_comes_back_down() -> None:
    long = 1_999_999_999_999_999_999

    assert paid(amount(long)) == "~2 WETH"
    assert received(amount(long)) == "~1.999999 WETH"


def test_an_asset_that_the_policy_does_not_list_is_shown_in_base_units() -> None:
    unknown = AssetAmount(asset="0xabc", symbol="0xabc", decimals=0, amount=1_000)

    assert paid(unknown) == "1,000 base units of 0xabc"
    assert price(unknown, 5, 6) is None


@given(units=st.integers(0, 2**256), decimals=st.integers(0, 30))
def test_no_amount_that_comes_back_is_shown_as_more_than_it_is(units: int, decimals: int) -> None:
    shown = Decimal(number(units, decimals, ROUND_FLOOR).removeprefix("~").replace(",", ""))

    assert shown <= Decimal(units).scaleb(-decimals) * (1 + Decimal("1e-25"))


def test_a_price_is_what_one_whole_costs_rounded_up() -> None:
    paying = amount(250_000 * 10**6, 6, "USDC")

    assert price(paying, 100 * 10**18, 18) == "2,500"
    assert price(paying, 997 * 10**17, 18) == "2,507.523"
    assert price(paying, 0, 18) is None


@pytest.mark.parametrize(
    ("used", "added", "limit", "drawn"),
    [
        (0, 0, 100, "[................]"),
        (50, 25, 100, "[########++++....]"),
        (0, 1, 10**9, "[+...............]"),
        (100, 0, 100, "[################]"),
        (100, 1, 100, "[!!!!!!!!!!!!!!!!]"),
        (0, 1, 0, "[!!!!!!!!!!!!!!!!]"),
        (0, 0, 0, "[................]"),
    ],
)
def test_a_bar_says_in_letters_what_is_used_and_what_is_added(
    used: int, added: int, limit: int, drawn: str
) -> None:
    assert bar(used, added, limit) == drawn


def test_times() -> None:
    assert (left(102_999), left(9_000), left(0), left(-5)) == ("1:42", "0:09", "over", "over")
    assert time_of_day(UnixMs(1_800_000_061_000)) == "08:01:01"
    assert [window(seconds) for seconds in (86_400, 3_600, 60, 90)] == ["24 h", "1 h", "1 min", "90 s"]
