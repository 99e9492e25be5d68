"""The screen of a state at fixed sizes: what matters is there, what does not fit is said, old is old."""

import io
from itertools import product

import pytest
from rich.console import Console

from signer.cli.console.acts import Quit
from signer.cli.console.keys import ENTER
from signer.cli.console.state import State, begin, lost, pressed, told
from signer.cli.console.view import screen
from tests.fakes.console_pictures import (
    HASH,
    START,
    later,
    picture,
    queued,
    seen_picture,
    showing,
    swap_before_a_person,
)

SMALL, LARGE = (80, 24), (110, 60)


def drawn(state: State, size: tuple[int, int] = LARGE, *, after_ms: int = 0) -> str:
    width, height = size
    text = screen(state, later(after_ms), width=width, height=height)
    assert len(text.plain.split("\n")) <= height
    assert all(len(line) <= width for line in text.plain.split("\n"))
    return text.plain


def digits(text: str) -> str:
    """Without the blanks between groups."""
    return "".join(text.split())


def test_a_large_screen_has_everything() -> None:
    text = drawn(showing())

    for expected in (
        "connected  signer's time 08:00:00 UTC",
        "WAITING FOR A PERSON: 2",
        "> 1 ON DEVICE  1:42  desk",
        "  2 queued     0:25! desk",
        "phase     confirm on the device: Tx hash",
        "pays      250,000 USDC",
        "gets      at least 99.7 WETH; the client was quoted 99.95 WETH",
        "price     USDC for 1 WETH: at worst 2,507.523, pool_quote 2,500, quoted 2,501.251",
        "slippage  30 bps below the best of pool_quote; 50 are allowed",
        "fee       at most 0.004 ETH (200,000 gas at 20 gwei at most)",
        "after     400,000 -> 150,000 USDC at worst",
        "2 -> 1.996 ETH at worst",
        "[###++++++++.....] 100,000 + 250,000 of 500,000 USDC in 1 h",
        "client    spiffe://airlock.local/trader by SignEvmTransaction",
        "nonce 41",
        "desk      ledger is reviewing, 2 waiting (Ethereum 1.22.0)",
        "safe      trezor is gone. NOT READY, DEVICE_LOCKED: enter the PIN on the device",
        "07:59:00 denied  REJECTED_ON_DEVICE",
        "large     signs",
    ):
        assert expected in text
    assert "lines  j/k" not in text


@pytest.mark.parametrize("size", [SMALL, LARGE, (60, 24), (40, 30), (200, 24)])
def test_what_the_device_will_show_is_whole_at_every_usual_size(size: tuple[int, int]) -> None:
    text = drawn(showing(), size)

    assert HASH in digits(text)
    assert "desk WILL SHOW THIS" in text
    for label in ("pays", "gets", "slippage", "fee"):
        assert f"\n{label} " in text


def test_eighty_by_twenty_four_is_enough_for_the_longest_review_of_a_ledger() -> None:
    approval = swap_before_a_person()
    to = approval.device_screens[1]
    for title in ("From", "Max fees", "Network"):
        approval.device_screens.add(title=title, text=to.text)

    text = drawn(showing(approval, queued()), SMALL)

    for label in ("does", "pays", "gets", "price", "slippage", "fee", "after", " 1 Blind", " 7 Network"):
        assert f"\n{label}" in text
    assert HASH in digits(text)


def test_a_hash_stands_in_two_lines_of_eight_groups() -> None:
    lines = drawn(showing(), SMALL).split("\n")
    at = next(number for number, line in enumerate(lines) if "Tx hash" in line)

    assert lines[at].split("Tx hash")[1].split() == ["0x0102", *_groups(3, 16)]
    assert lines[at + 1].split() == _groups(17, 32)


def test_a_small_screen_says_how_many_lines_it_leaves_out() -> None:
    text = drawn(showing(), SMALL)

    assert text.split("\n")[-1].startswith("+")
    assert text.split("\n")[-1].endswith("q quit")


@pytest.mark.parametrize(("width", "height"), tuple(product((1, 10, 20, 79), (1, 2, 5, 12))))
def test_no_size_breaks_it(width: int, height: int) -> None:
    assert drawn(showing(), (width, height))
    assert drawn(pressed(showing(), "?")[0], (width, height))
    assert drawn(pressed(showing(), "d")[0], (width, height))


def test_what_is_old_says_so_and_counts_nothing_down() -> None:
    text = drawn(lost(showing(), "the signer is out of reach", later(2_000)), after_ms=17_000)

    assert "NOT CONNECTED to 127.0.0.1:7443 since 08:00:02 UTC (15 s)" in text
    assert "WHAT STANDS BELOW IS OLD: it was so at 08:00:00 UTC." in text
    assert "1:27" not in text
    assert "ends in ?" in text


def test_before_the_first_picture_nothing_is_claimed() -> None:
    text = drawn(begin("127.0.0.1:7443", START))

    assert "NOT CONNECTED" in text
    assert "WAITING" not in text


def test_a_countdown_goes_by_the_signers_clock() -> None:
    text = drawn(showing(), after_ms=80_000)

    assert "ends in 0:22" in text
    assert "over" in drawn(showing(), after_ms=103_000)


def test_a_question_and_what_became_of_it_stand_above_the_keys() -> None:
    asked, _ = pressed(showing(), "p")
    sure, _ = pressed(asked, ENTER)

    assert "Pause ALL accounts. Why?" in drawn(asked, SMALL)
    assert "Pause ALL accounts?  y = yes, n = no" in drawn(sure, SMALL)
    assert "Paused now: all" in drawn(told(showing(), "Paused now: all"), SMALL)


def test_the_help_names_every_key() -> None:
    text = drawn(pressed(showing(), "?")[0], SMALL)

    for key in ("d  ", "p  ", "P  ", "r  ", "q  ", "up, down"):
        assert f"  {key}" in text
    assert not isinstance(pressed(showing(), "?")[1], Quit)


def test_a_request_that_is_not_looked_into_yet_is_shown_as_such() -> None:
    text = drawn(showing(queued()))

    assert "CancelTransaction: is being looked into" in text
    assert "its turn has not come" in text


def test_what_is_not_known_is_said() -> None:
    approval = swap_before_a_person()
    approval.ClearField("slippage_bps")
    del approval.references[:], approval.positions[:]

    text = drawn(showing(approval))

    assert "slippage  NOT KNOWN: there is no reference" in text
    assert "after     NOT KNOWN: the signer's node is away" in text


def test_wrapping_has_no_price_and_no_slippage() -> None:
    approval = swap_before_a_person()
    approval.ClearField("slippage_bps")
    approval.max_slippage_bps = 0
    del approval.references[:], approval.quoted[:]

    text = drawn(showing(approval))

    assert "\nslippage" not in text
    assert "\nprice" not in text


def test_a_top_up_counts_against_its_own_cap() -> None:
    approval = swap_before_a_person()
    del approval.receives_at_least[:], approval.budget[:]
    approval.budget.add(
        resource=f"topup:{approval.pays[0].asset}:0x{'11' * 20}",
        window_s=86_400,
        limit=str(400_000 * 10**6),
        used=str(100_000 * 10**6),
    )

    assert "100,000 + 250,000 of 400,000 USDC topped up in 24 h" in drawn(showing(approval))


def test_an_account_that_holds_too_little_is_called_so() -> None:
    approval = swap_before_a_person()
    approval.positions[0].after = "-5000000"

    assert "-5 USDC at worst  TOO LITTLE: it would fail" in drawn(showing(approval))


def test_a_paused_account_is_seen_on_a_small_screen() -> None:
    assert "PAUSED: fire drill" in drawn(showing(paused=True), (80, 26))


def test_the_selected_one_of_many_is_in_the_queue() -> None:
    many = []
    for number in range(20):
        approval = queued()
        approval.approval_id = f"{number:032x}"
        many.append(approval)
    state = showing(*many)
    for _ in range(15):
        state, _ = pressed(state, "j")

    assert ">16 queued" in drawn(state, SMALL)


def test_every_style_is_readable_without_colours() -> None:
    text = screen(showing(paused=True), START, width=110, height=60)
    plain = Console(file=io.StringIO(), no_color=True, force_terminal=True, width=110, height=60)
    plain.print(text)

    shown = plain.file.getvalue()  # type: ignore[attr-defined]  # the StringIO above
    assert "\x1b[3" not in shown
    assert "PAUSED: fire drill" in shown


def test_the_picture_of_the_wire_is_read_whole() -> None:
    read, sent = seen_picture(), picture()

    assert read.approvals[0].brief is not None
    assert read.approvals[0].brief.fee_max_wei == int(sent.approvals[0].fee_max)
    assert read.approvals[1].brief is None
    assert [device.ready for device in read.devices] == [True, False]


def _groups(first: int, last: int) -> list[str]:
    return [f"{byte:02x}{byte + 1:02x}" for byte in range(first, last, 2)]
