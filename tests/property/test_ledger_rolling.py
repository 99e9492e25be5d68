"""The totals by second against the slow and obvious way of counting every entry to the millisecond."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from signer.domain.rolling import LONGEST_WINDOW_S, RollingUse, oldest_counted
from signer.domain.time import MS_PER_S, UnixMs

WINDOWS_S = (1, 60, 3600, LONGEST_WINDOW_S)
START = UnixMs(10**12)

_STEPS = st.lists(
    st.tuples(
        st.sampled_from(["hold", "date", "revise", "drop", "ask"]),
        st.integers(0, 5),
        st.integers(0, 2**256),
        st.sampled_from(
            [0, 1, 1, 999, 1000, 1001, 59_999, 60_000, 61_000, 3_600_000, 40_000_000, 86_400_000, -70_000]
        ),
        st.sampled_from(WINDOWS_S),
    ),
    max_size=60,
)


class Naive:
    """Every entry by number, as [amount, date or None], and its twin that keeps only totals."""

    def __init__(self) -> None:
        self.entries: dict[int, tuple[int, UnixMs | None]] = {}
        self.use = RollingUse(START)

    def replace(self, number: int, amount: int, dated_at: UnixMs | None) -> None:
        self.drop(number)
        self.entries[number] = (amount, dated_at)
        self.use.put(amount, dated_at)

    def drop(self, number: int) -> None:
        if number in self.entries:
            self.use.drop(*self.entries.pop(number))

    def counted(self, window_ms: int, now: int) -> int:
        return sum(amount for amount, at in self.entries.values() if at is None or at > now - window_ms)


@given(_STEPS, st.integers(0, 999))
def test_a_window_counts_all_of_its_entries_and_none_that_is_a_second_older(
    steps: list[tuple[str, int, int, int, int]], fraction_ms: int
) -> None:
    naive = Naive()
    clock = START + fraction_ms
    latest = int(START)
    for verb, number, amount, step_ms, window_s in steps:
        clock += step_ms
        match verb:
            case "hold":
                naive.replace(number, amount, None)
            case "date":
                naive.replace(number, amount, UnixMs(clock))
            case "revise" if number in naive.entries:
                naive.replace(number, amount, naive.entries[number][1])
            case "drop":
                naive.drop(number)
            case _:
                pass

        latest = max(latest, clock)
        rebuilt = RollingUse(UnixMs(latest))
        for entry in naive.entries.values():
            rebuilt.put(*entry)
        for asked_s in {window_s, 60}:
            used = naive.use.used(asked_s, UnixMs(clock))
            exact = naive.counted(asked_s * MS_PER_S, latest)
            a_second_longer = naive.counted((asked_s + 1) * MS_PER_S, latest)
            assert exact <= used <= a_second_longer
            assert used == rebuilt.used(asked_s, UnixMs(latest))


def test_a_charge_of_unknown_outcome_never_ages() -> None:
    use = RollingUse(UnixMs(0))
    use.put(7, None)

    assert use.used(60, UnixMs(0)) == 7
    assert use.used(60, UnixMs(10**12)) == 7


@pytest.mark.parametrize("at", [1000, 1001, 1999])
def test_a_second_ages_when_its_youngest_charge_has_left_the_window(at: int) -> None:
    use = RollingUse(UnixMs(0))
    use.put(7, UnixMs(at))

    assert use.used(60, UnixMs(61_999)) == 7
    assert use.used(60, UnixMs(62_000)) == 0


def test_time_that_goes_back_stands_still() -> None:
    use = RollingUse(UnixMs(0))
    use.put(7, UnixMs(1000))
    aged = use.used(60, UnixMs(70_000))

    assert (aged, use.used(60, UnixMs(30_000))) == (0, 0)
    assert use.used(3600, UnixMs(30_000)) == 7


def test_dropping_what_has_aged_out_changes_nothing_and_leaves_nothing() -> None:
    use = RollingUse(UnixMs(0))
    use.put(7, UnixMs(1000))
    later = UnixMs(1000 + 2 * LONGEST_WINDOW_S * MS_PER_S)
    use.put(5, later)
    use.drop(7, UnixMs(1000))

    assert [use.used(window_s, later) for window_s in WINDOWS_S] == [5, 5, 5, 5]
    assert len(use._by_second) == 1


def test_the_oldest_date_that_counts_is_the_first_of_its_second() -> None:
    now = UnixMs(START + 123)
    oldest = oldest_counted(now)
    use = RollingUse(now)
    use.put(7, UnixMs(oldest - 1))
    missed = use.used(LONGEST_WINDOW_S, now)
    use.put(7, oldest)

    assert (missed, use.used(LONGEST_WINDOW_S, now)) == (0, 7)


@pytest.mark.parametrize("window_s", [0, -1, LONGEST_WINDOW_S + 1])
def test_a_window_that_cannot_be_counted_is_refused(window_s: int) -> None:
    use = RollingUse(UnixMs(0))

    with pytest.raises(ValueError, match="are allowed"):
        use.used(window_s, UnixMs(0))


def test_memory_grows_neither_with_transactions_nor_with_history() -> None:
    use = RollingUse(UnixMs(0))
    for number in range(5000):
        minute = UnixMs(number * 60_000)
        use.put(1, None)
        for ms in range(3):
            use.put(1, UnixMs(minute + ms))
        use.used(3600, minute)

    assert len(use._by_second) == LONGEST_WINDOW_S // 60 + 1
    assert len(use._totals) == 1
