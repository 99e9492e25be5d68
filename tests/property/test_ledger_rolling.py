"""The sliding sums against the slow and obvious way of counting."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from signer.domain.rolling import LONGEST_WINDOW_S, RollingUse
from signer.domain.time import UnixMs
from signer.domain.transactions import TransactionId

WINDOWS_S = (60, 3600, LONGEST_WINDOW_S)

_STEPS = st.lists(
    st.tuples(
        st.sampled_from(["hold", "date", "revise", "drop", "ask"]),
        st.integers(0, 5),
        st.integers(0, 2**256),
        st.sampled_from([0, 1, 59_999, 60_000, 60_001, 3_600_000, 40_000_000, 86_400_000, -70_000]),
        st.sampled_from(WINDOWS_S),
    ),
    max_size=60,
)


@given(_STEPS)
def test_sums_equal_a_naive_count_whatever_happens(
    steps: list[tuple[str, int, int, int, int]],
) -> None:
    use = RollingUse()
    naive: dict[TransactionId, tuple[int | None, int]] = {}
    clock = 10**12
    latest = 0
    for verb, number, amount, step_ms, window_s in steps:
        transaction = TransactionId(str(number))
        clock += step_ms
        latest = max(latest, clock) if verb in {"date", "ask"} else latest
        match verb:
            case "hold":
                use.hold(transaction, amount)
                naive[transaction] = (None, amount)
            case "date":
                use.date(transaction, amount, UnixMs(clock))
                naive[transaction] = (latest, amount)
            case "revise":
                use.revise(transaction, amount)
                date = naive.get(transaction, (None, 0))[0]
                if date is not None:
                    naive[transaction] = (date, amount)
            case "drop":
                use.drop(transaction)
                naive.pop(transaction, None)
            case _:
                pass

        for asked in {window_s, 60}:
            counted = sum(
                value
                for date, value in naive.values()
                if date is None or date > max(latest, clock) - asked * 1000
            )
            latest = max(latest, clock)
            assert use.used(asked, UnixMs(clock)) == counted


def test_a_charge_of_unknown_outcome_never_ages() -> None:
    use = RollingUse()
    use.hold(TransactionId("a"), 7)

    assert use.used(60, UnixMs(0)) == 7
    assert use.used(60, UnixMs(10**12)) == 7


def test_a_dated_charge_ages_exactly_at_the_end_of_its_window() -> None:
    use = RollingUse()
    use.date(TransactionId("a"), 7, UnixMs(1000))

    assert use.used(60, UnixMs(60_999)) == 7
    assert use.used(60, UnixMs(61_000)) == 0


@pytest.mark.parametrize("window_s", [0, -1, LONGEST_WINDOW_S + 1])
def test_a_window_that_cannot_be_counted_is_refused(window_s: int) -> None:
    use = RollingUse()

    with pytest.raises(ValueError, match="are allowed"):
        use.used(window_s, UnixMs(0))


def test_memory_does_not_grow_with_history() -> None:
    use = RollingUse()
    for number in range(5000):
        use.date(TransactionId(str(number)), 1, UnixMs(number * 60_000))
        use.used(3600, UnixMs(number * 60_000))

    assert len(use._dated) == LONGEST_WINDOW_S // 60
    assert len(use._windows[3600]._entries) == 60
