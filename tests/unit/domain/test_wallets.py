"""When it is an account's turn."""

import pytest

from signer.domain.accounts import Address
from signer.domain.time import UnixMs
from signer.domain.wallets import ALWAYS, AmountRange, Condition, Hours, require_one_range_per_token

TOKEN, OTHER = Address("0x" + "41" * 20), Address("0x" + "42" * 20)
DAY_SHIFT = Hours(begin_minute=8 * 60, end_minute=18 * 60)
NIGHT_SHIFT = Hours(begin_minute=22 * 60, end_minute=6 * 60)
MIDNIGHT_MS = 1_800_000_000_000 // 86_400_000 * 86_400_000


def _at(hour: int, minute: int = 0, ms: int = 0) -> UnixMs:
    return UnixMs(MIDNIGHT_MS + (hour * 60 + minute) * 60_000 + ms)


@pytest.mark.parametrize(
    ("hours", "moment", "holds"),
    [
        (DAY_SHIFT, _at(7, 59, 59_999), False),
        (DAY_SHIFT, _at(8), True),
        (DAY_SHIFT, _at(17, 59, 59_999), True),
        (DAY_SHIFT, _at(18), False),
        (NIGHT_SHIFT, _at(21, 59), False),
        (NIGHT_SHIFT, _at(22), True),
        (NIGHT_SHIFT, _at(0), True),
        (NIGHT_SHIFT, _at(5, 59, 59_999), True),
        (NIGHT_SHIFT, _at(6), False),
        (Hours(begin_minute=12 * 60, end_minute=24 * 60), _at(23, 59, 59_999), True),
        (Hours(begin_minute=12 * 60, end_minute=24 * 60), _at(0), False),
    ],
)
def test_hours_begin_with_their_first_minute_and_end_before_their_last(
    hours: Hours, moment: UnixMs, holds: bool
) -> None:
    condition = Condition(hours=hours)

    assert hours.hold(moment) is holds
    assert (condition.why_not_now(moment) is None) is holds


@pytest.mark.parametrize("minutes", [(480, 480), (-1, 10), (0, 1_441), (1_440, 10), (10, 0)])
def test_hours_that_are_none_or_a_riddle_are_refused(minutes: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match="hours"):
        Hours(begin_minute=minutes[0], end_minute=minutes[1])


@pytest.mark.parametrize(
    ("amount", "holds"), [(0, False), (999, False), (1_000, True), (4_999, True), (5_000, False)]
)
def test_an_amount_is_within_its_range_or_is_told_why_not(amount: int, holds: bool) -> None:
    condition = Condition(amounts=(AmountRange(token=TOKEN, at_least=1_000, below=5_000),))

    why = condition.why_not(TOKEN, amount)
    assert (why is None) is holds
    assert why is None or str(amount) in why
    assert condition.why_not(OTHER, amount) is None


def test_an_open_range_has_one_end() -> None:
    assert AmountRange(token=TOKEN, at_least=7).why_not(2**255) is None
    assert AmountRange(token=TOKEN, below=7).why_not(0) is None


@pytest.mark.parametrize(("at_least", "below"), [(5, 5), (6, 5), (0, 0), (0, None)])
def test_a_range_of_nothing_or_of_everything_is_refused(at_least: int, below: int | None) -> None:
    with pytest.raises(ValueError, match="amount"):
        AmountRange(token=TOKEN, at_least=at_least, below=below)


def test_a_token_has_one_range() -> None:
    one = AmountRange(token=TOKEN, below=5)

    require_one_range_per_token((one, AmountRange(token=OTHER, below=5)))
    with pytest.raises(ValueError, match="two ranges"):
        require_one_range_per_token((one, AmountRange(token=TOKEN, at_least=5)))


def test_a_condition_reads_as_one_line() -> None:
    condition = Condition(
        hours=NIGHT_SHIFT,
        amounts=(AmountRange(token=TOKEN, at_least=10, below=20), AmountRange(token=OTHER, below=5)),
    )

    assert condition.describe(attended=True) == (
        f"22:00-06:00 UTC; at least 10 and below 20 of {TOKEN}; below 5 of {OTHER}; "
        "its device is there and unlocked"
    )
    assert Condition(device_ready=False).describe(attended=True) == ""
    assert ALWAYS.describe(attended=False) == ""
