"""What stands around the requests: the connection, the devices, the accounts, recent decisions, the keys."""

from collections.abc import Iterator

from rich.text import Text

from signer.api.seen import SeenAccount, SeenDevice, SeenOutcome
from signer.cli.console.figures import time_of_day
from signer.cli.console.lines import Block, cropped, heading, labelled, wrapped
from signer.cli.console.state import Moment, State
from signer.domain.accounts import AccountState
from signer.domain.time import MS_PER_S

KEYS = "j/k select  d dismiss  p pause ALL  P one  r resume  ? help  q quit"
HELP = (
    "This console shows what waits for a person, and can stop it. It confirms nothing:",
    "only the device does, and it shows the lines under WILL SHOW THIS.",
    "",
    "  up, down, k, j   select a request",
    "  d                dismiss it: nothing is signed, the client hears DISMISSED_BY_OPERATOR",
    "  p                pause ALL accounts: what waits ends, nothing is signed until you resume",
    "  P                pause the account of the selected request, or one of a list",
    "  r                resume a paused account, or go on with a drain that is held",
    "  ?                this page; any key leaves it",
    "  q                quit; nothing changes on the signer",
    "",
    "d, p, P and r ask before they act; only y acts.",
    "Before you confirm on the device, compare every group of four letters with it.",
    "What is rounded has a ~ before it: what leaves is rounded up, what comes back down.",
    "In a bar, # is used, + is what the request adds at most, ! is more than there is.",
    "+5 lines at the bottom: five lines do not fit, enlarge the window.",
    "Times are UTC, countdowns by the signer's clock. A ! after a countdown: below 30 s.",
)


def header(state: State, now: Moment, width: int) -> Block:
    """Who is watched, and whether what stands below is the present."""
    if state.connected and state.picture is not None:
        at = time_of_day(state.signers_now(now) or state.picture.at)
        text = f"airlock console  {state.server}  connected  signer's time {at} UTC"
        return Block(lines=(cropped(Text(text, style="bold"), width),), rank=0, least=1)
    seconds = max(0, now.steady_ms - state.since.steady_ms) // MS_PER_S
    text = f"NOT CONNECTED to {state.server} since {time_of_day(state.since.wall)} UTC ({seconds} s)"
    lines = [text, f"{state.problem}. Trying again."]
    if state.picture is not None:
        lines.append(f"WHAT STANDS BELOW IS OLD: it was so at {time_of_day(state.picture.at)} UTC.")
    shown = [
        cropped(Text(piece, style="bold reverse"), width) for line in lines for piece in wrapped(line, width)
    ]
    return Block(lines=tuple(shown), rank=0, least=len(shown))


def devices(state: State, width: int) -> Block:
    """A line for each device; more for one that somebody has to do something about."""
    known = () if state.picture is None else state.picture.devices
    lines = [line for each in known for line in _device(each, width)]
    return _section("DEVICES", lines, width, rank=45)


def accounts(state: State, width: int) -> Block:
    """Those that do not sign first."""
    known = () if state.picture is None else state.picture.accounts
    ordered = sorted(known, key=lambda each: each.state is AccountState.ACTIVE)
    lines = [line for each in ordered for line in _account(each, width)]
    stopped = sum(1 for each in known if each.state is not AccountState.ACTIVE)
    return _section("ACCOUNTS", lines, width, rank=75, least=2 * min(stopped, 1))


def outcomes(state: State, width: int) -> Block:
    """What was decided lately, newest first."""
    known = () if state.picture is None else state.picture.outcomes
    return _section("DECIDED LATELY", [_outcome(each, width) for each in known], width, rank=90)


def footer(state: State, left_out: int, width: int) -> Iterator[Text]:
    """The question that is asked, or what the last act came to; and the keys."""
    asked = () if state.prompt is None else state.prompt.lines
    for line in asked:
        for piece in wrapped(line, width):
            yield cropped(Text(piece, style="bold reverse"), width)
    if state.prompt is None and state.notice:
        for piece in wrapped(state.notice, width):
            yield cropped(Text(piece, style="bold"), width)
    more = f"+{left_out} lines  " if left_out else ""
    yield cropped(Text(f"{more}{KEYS}", style="reverse"), width)


def _section(title: str, lines: list[Text], width: int, *, rank: int, least: int = 0) -> Block:
    shown = (heading(title, width), *lines) if lines else ()
    return Block(lines=shown, rank=rank, least=least, titled=True)


def _device(device: SeenDevice, width: int) -> tuple[Text, ...]:
    waiting = f", {device.waiting} waiting" if device.waiting else ""
    detail = f" ({device.detail})" if device.detail else ""
    what = f"{device.kind} is {device.state}{waiting}{detail}"
    if device.ready:
        return labelled(device.name, what, width)
    todo = f"{what}. NOT READY, {device.reason}: {device.message}"
    return labelled(device.name, todo, width, "bold")


def _account(account: SeenAccount, width: int) -> tuple[Text, ...]:
    signs = account.state is AccountState.ACTIVE
    state = "signs" if signs else account.state.upper()
    why = f": {account.reason}" if account.reason else ""
    text = f"{state}{why}  {account.account} ({account.backend})"
    return labelled(account.wallet, text, width, "" if signs else "bold")


def _outcome(outcome: SeenOutcome, width: int) -> Text:
    why = " ".join(outcome.reasons)
    text = f"{time_of_day(outcome.at)} {outcome.verdict:<7}{f' {why}' if why else ''} {outcome.summary}"
    return cropped(Text(text), width)
