"""Text that wants to take the operator's terminal over: seen as question marks, never obeyed."""

import io
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from protos.airlock.signer.v1 import admin_pb2 as pb
from signer.api.plain_text import plain
from signer.api.seen import NonsenseError, seen
from signer.cli.console.state import State, begin, lost, pressed, saw, told
from signer.cli.console.view import screen
from tests.fakes.console_pictures import FIRST, START, picture, swap_before_a_person

ATTACKS = (
    "\x1b[2J\x1b[H pays 1 USDC",
    "\x1b]0;title\x07",
    "\x1b]8;;http://thief\x1b\\click\x1b]8;;\x1b\\",
    "\x9b31m red by C1",
    "over\rwritten",
    "back\x08\x08\x08\x08",
    "two\nlines\x0b\x0c\u2028\u2029",
    "\u202e0x7a25 reversed",
    "zero\u200bwidth\ufeff\u2060",
    "stacked" + "\u0301" * 50,
    "\u05d0\u05d1 1234",
    "[bold red]markup[/bold red] :skull:",
    "\U000e0001\U000e0041 tags",
    "invisible \u3164\u115f letters",
    "x" * 100_000,
)
_NUMBERS = {"amount", "fee_max", "after", "approval_id"}


def hostile(text: str) -> pb.WatchApprovalsResponse:
    """The picture with the text in every field that takes one, of every message in it."""
    whole = picture(swap_before_a_person())
    for message in (
        *whole.approvals,
        *whole.devices,
        *whole.outcomes,
        *(screen_ for each in whole.approvals for screen_ in each.device_screens),
        *(
            amount
            for each in whole.approvals
            for amount in (*each.pays, *each.receives_at_least, *each.quoted)
        ),
    ):
        for name, described in message.DESCRIPTOR.fields_by_name.items():
            if described.type != described.TYPE_STRING or name in _NUMBERS:
                continue
            if isinstance(getattr(message, name), str):
                setattr(message, name, text)
            else:
                getattr(message, name).append(text)
    for account in whole.accounts:
        account.account = account.wallet = account.backend = account.pause_reason = text
    return whole


def printed(state: State) -> str:
    """What reaches the terminal, with rich's own sequences for styles left out."""
    out = io.StringIO()
    console = Console(file=out, width=100, height=70, highlight=False, markup=False, emoji=False)
    console.print(screen(state, START, width=100, height=70))
    return out.getvalue()


def require_harmless(text: str) -> None:
    for letter in text:
        category = unicodedata.category(letter)
        assert letter == "\n" or category[0] in "LNPSZ", hex(ord(letter))
        assert category not in {"Zl", "Zp"}
        assert unicodedata.bidirectional(letter) not in {"R", "AL", "AN", "RLO", "LRO"}


@pytest.mark.parametrize("attack", ATTACKS)
def test_no_text_of_the_wire_reaches_the_terminal_as_anything_but_text(attack: str) -> None:
    state = saw(begin("signer", START), seen(hostile(attack)), START)

    for shown in (state, pressed(state, "d")[0], pressed(state, "P")[0]):
        require_harmless(printed(shown))


@given(text=st.text(max_size=60))
def test_no_text_at_all_does(text: str) -> None:
    state = saw(begin("signer", START), seen(hostile(text)), START)

    require_harmless(printed(state))


@pytest.mark.parametrize("attack", ATTACKS)
def test_errors_of_the_other_end_are_text_as_well(attack: str) -> None:
    state = lost(told(begin("signer", START), plain(attack)), plain(attack), START)

    require_harmless(printed(state))


def test_markup_is_shown_as_it_is_written() -> None:
    state = saw(begin("signer", START), seen(hostile("[bold]no[/bold] :skull:")), START)

    assert "[bold]no[/bold] :skull:" in printed(state)


def test_a_plain_text_stays_as_it_is() -> None:
    for text in ("spiffe://airlock.local/trader", "Gerät für Ω", "0x7a25", "1 × 2 – 3"):
        assert plain(text) == text


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("fee_max", "1e9"),
        ("fee_max", "9" * 100),
        ("fee_max", "١٢"),
        ("approval_id", "../../x"),
        ("approval_id", FIRST + "\x1b[2J"),
    ],
)
def test_figures_that_are_none_are_refused_whole(field: str, value: str) -> None:
    approval = swap_before_a_person()
    setattr(approval, field, value)

    with pytest.raises(NonsenseError):
        seen(picture(approval))


def test_an_asset_with_absurd_decimals_is_refused() -> None:
    approval = swap_before_a_person()
    approval.pays[0].decimals = 4_000_000_000

    with pytest.raises(NonsenseError, match="decimals"):
        seen(picture(approval))


def test_a_limit_without_a_window_is_refused() -> None:
    approval = swap_before_a_person()
    approval.budget[0].window_s = 0

    with pytest.raises(NonsenseError, match="window"):
        seen(picture(approval))
