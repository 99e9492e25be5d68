"""The whole screen of a state: values in, text out. What is old is never shown as if it were the present."""

from collections.abc import Iterator

from rich.text import Text

from signer.cli.console import around
from signer.cli.console.lines import Block, cropped, fitted
from signer.cli.console.request import details
from signer.cli.console.state import Moment, State
from signer.cli.console.waiting import queue, time_left


def screen(state: State, now: Moment, *, width: int, height: int) -> Text:
    """At most `height` lines of at most `width` cells."""
    if state.helping:
        lines = [cropped(Text(line), width) for line in around.HELP]
        return _joined(lines[:height])
    blocks = tuple(_blocks(state, now, width))
    room = max(1, height - len(list(around.footer(state, 0, width))))
    lines, left_out = fitted(blocks, room)
    if not state.connected:
        lines = [_old(line) for line in lines]
    foot = list(around.footer(state, left_out, width))
    blank = [Text("")] * max(0, height - len(lines) - len(foot))
    return _joined([*lines, *blank, *foot][:height])


def _blocks(state: State, now: Moment, width: int) -> Iterator[Block]:
    yield around.header(state, now, width)
    if state.picture is None:
        return
    signers_now = state.signers_now(now)
    yield queue(state, signers_now, width)
    approval = state.selection()
    if approval is not None:
        yield from details(approval, time_left(approval, signers_now), width)
    yield around.devices(state, width)
    yield around.accounts(state, width)
    yield around.outcomes(state, width)


def _old(line: Text) -> Text:
    """Dimmed, unless it is what says so."""
    if "reverse" not in str(line.style):
        line.stylize("dim")
    return line


def _joined(lines: list[Text]) -> Text:
    text = Text("\n", no_wrap=True, overflow="crop", end="").join(lines)
    text.no_wrap, text.overflow, text.end = True, "crop", ""
    return text
