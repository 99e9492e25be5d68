"""What keys and news make of the console: nothing is done without a `y`, and a question keeps its subject."""

import pytest

from signer.cli.console.acts import Act, Dismiss, Pause, Quit, Resume
from signer.cli.console.keys import BACKSPACE, DOWN, ENTER, ESCAPE, QUIT, UP
from signer.cli.console.prompt import REASON_MAX
from signer.cli.console.state import State, begin, is_news, lost, pressed, saw
from tests.fakes.console_pictures import (
    ACCOUNT,
    FIRST,
    SECOND,
    START,
    later,
    queued,
    seen_picture,
    showing,
    swap_before_a_person,
)


def typed(state: State, *keys: str) -> tuple[State, Act | Quit | None]:
    """State after the keys, and what the last one asks for; none before it may ask for anything."""
    for key in keys[:-1]:
        state, early = pressed(state, key)
        assert early is None, key
    return pressed(state, keys[-1])


def test_the_first_request_is_selected_and_the_selection_moves_and_stays() -> None:
    state = showing()
    down, _ = typed(state, DOWN)
    beyond, _ = typed(down, "j")
    up, _ = typed(beyond, UP, "k")

    assert [each.selected for each in (state, down, beyond, up)] == [FIRST, SECOND, SECOND, FIRST]
    assert saw(down, seen_picture(), later(50)).selected == SECOND
    assert saw(down, seen_picture(swap_before_a_person()), later(50)).selected == FIRST


def test_dismissing_asks_why_and_whether() -> None:
    state, act = typed(showing(), "d", *"no idea", BACKSPACE, ENTER, "y")

    assert act == Dismiss(approval=FIRST, reason="no ide")
    assert state.prompt is None


@pytest.mark.parametrize("leave", [ESCAPE, QUIT, "n"])
def test_whatever_is_not_a_yes_does_nothing(leave: str) -> None:
    state, act = typed(showing(), "d", ENTER, "x", ENTER, leave)

    assert act is None
    assert state.prompt is None


def test_the_letters_of_a_reason_are_no_commands() -> None:
    state, act = typed(showing(), "d", *"qpPrjk?")

    assert act is None
    assert state.prompt is not None
    assert state.prompt.reason == "qpPrjk?"


def test_a_reason_ends_at_the_contracts_limit() -> None:
    _, act = typed(showing(), "p", *("x" * (REASON_MAX + 9)), ENTER, "y")

    assert act == Pause(account="", reason="x" * REASON_MAX)


def test_a_question_is_about_the_request_that_was_selected_when_it_was_asked() -> None:
    asked, _ = typed(showing(), "d")
    moved = saw(asked, seen_picture(queued(), swap_before_a_person()), later(10))

    assert typed(moved, ENTER, "y")[1] == Dismiss(approval=FIRST)


def test_a_question_about_a_request_that_is_over_is_closed() -> None:
    asked, _ = typed(showing(), "d", ENTER)
    state = saw(asked, seen_picture(queued()), later(10))

    assert state.prompt is None
    assert "over" in state.notice
    assert pressed(state, "y")[1] is None


def test_a_pause_is_of_all_or_of_the_selected_account() -> None:
    assert typed(showing(), "p", ENTER, "y")[1] == Pause(account="")
    assert typed(showing(), "P", ENTER, "y")[1] == Pause(account=ACCOUNT)


def test_only_what_is_paused_is_resumed() -> None:
    nothing, _ = typed(showing(), "r")
    _, act = typed(showing(paused=True), "r", "y")

    assert (nothing.prompt, nothing.notice) == (None, "No account is paused.")
    assert act == Resume(account=ACCOUNT)


def test_of_several_paused_accounts_one_is_chosen_or_all() -> None:
    picture = seen_picture(paused=True)
    other = f"eip155:1:0x{'5' * 40}"
    first = picture.accounts[0]
    both = type(picture)(
        at=picture.at,
        approvals=(),
        devices=(),
        outcomes=(),
        accounts=(
            first,
            type(first)(account=other, wallet="hot", backend="dev", state=first.state, reason="drill"),
        ),
    )
    state = saw(begin("signer", START), both, START)

    assert typed(state, "r", "1", "y")[1] == Resume(account="")
    assert typed(state, "r", "3", "y")[1] == Resume(account=other)
    assert typed(state, "r", "9", "0", "x")[1] is None


def test_help_opens_and_any_key_closes_it() -> None:
    opened, _ = typed(showing(), "?")
    closed, act = typed(opened, "d")

    assert opened.helping
    assert (closed.helping, closed.prompt, act) == (False, None, None)


@pytest.mark.parametrize("key", ["q", QUIT])
def test_quitting_asks_nothing_and_changes_nothing(key: str) -> None:
    assert isinstance(pressed(showing(), key)[1], Quit)
    assert isinstance(pressed(pressed(showing(), "?")[0], key)[1], Quit)


def test_a_request_is_news_once() -> None:
    before = begin("signer", START)
    first = saw(before, seen_picture(queued()), START)
    same = saw(lost(first, "gone", later(1)), seen_picture(queued()), later(2))
    more = saw(same, seen_picture(), later(3))

    assert [is_news(before, first), is_news(first, same), is_news(same, more)] == [True, False, True]


def test_without_a_connection_nobody_knows_the_signers_clock() -> None:
    state = showing()
    gone = lost(state, "UNAVAILABLE", later(2_000))
    still_gone = lost(gone, "UNAVAILABLE again", later(9_000))
    back = saw(still_gone, seen_picture(), later(10_000))

    assert state.picture is not None
    assert state.signers_now(later(1_500)) == state.picture.at + 1_500
    assert gone.signers_now(later(2_000)) is None
    assert still_gone.since == later(2_000)
    assert (back.connected, back.since) == (True, later(10_000))


def test_an_empty_key_of_a_resize_changes_nothing() -> None:
    assert pressed(showing(), "") == (showing(), None)
    asked, _ = typed(showing(), "d")
    assert pressed(asked, "") == (asked, None)
