"""What the console knows and what is asked; every event makes a new one. Does no I/O and reads no clock."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from textwrap import shorten

from signer.api.seen import SeenApproval, SeenPicture
from signer.cli.console import keys
from signer.cli.console import prompt as prompts
from signer.cli.console.acts import Act, Dismiss, Pause, Quit, Resume
from signer.cli.console.prompt import Choice, Prompt
from signer.domain.accounts import AccountState
from signer.domain.time import UnixMs

_WHAT_MAX = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """Now: `wall` for people, `steady_ms` for measuring, which no set clock moves."""

    wall: UnixMs
    steady_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """Everything that is shown.

    `since` is when the connection came or went; `problem` is why it is not there. `picture` came at `came_at`
    and is old unless `connected`. `notice` is what the last act came to.
    """

    server: str
    since: Moment
    connected: bool = False
    problem: str = ""
    picture: SeenPicture | None = None
    came_at: Moment
    selected: str = ""
    prompt: Prompt | None = None
    helping: bool = False
    notice: str = ""

    def selection(self) -> SeenApproval | None:
        """The approval whose details are shown."""
        approvals = () if self.picture is None else self.picture.approvals
        return next((each for each in approvals if each.id == self.selected), None)

    def signers_now(self, now: Moment) -> UnixMs | None:
        """The signer's clock; None while nobody knows it."""
        if self.picture is None or not self.connected:
            return None
        return UnixMs(self.picture.at + now.steady_ms - self.came_at.steady_ms)


def begin(server: str, now: Moment) -> State:
    """Nothing is known yet."""
    return State(server=server, since=now, came_at=now, problem="connecting")


def saw(state: State, picture: SeenPicture, now: Moment) -> State:
    """A picture came. The selection stays on its request; a question about one that is gone is closed."""
    ids = [each.id for each in picture.approvals]
    state = replace(
        state,
        picture=picture,
        came_at=now,
        connected=True,
        since=state.since if state.connected else now,
        problem="",
        selected=state.selected if state.selected in ids else next(iter(ids), ""),
    )
    if state.prompt is not None and _is_gone(state.prompt.chosen.act, ids):
        return replace(state, prompt=None, notice="The request that you were asked about is over.")
    return state


def lost(state: State, problem: str, now: Moment) -> State:
    """The connection is not there."""
    return replace(state, connected=False, problem=problem, since=now if state.connected else state.since)


def told(state: State, notice: str) -> State:
    """An act came to something."""
    return replace(state, notice=notice)


def is_news(before: State, after: State) -> bool:
    """Whether a request waits now that did not before."""
    old = set() if before.picture is None else {each.id for each in before.picture.approvals}
    new = set() if after.picture is None else {each.id for each in after.picture.approvals}
    return bool(new - old)


def pressed(state: State, key: str) -> tuple[State, Act | Quit | None]:
    """State after a key, and what is to be done."""
    if state.prompt is not None:
        outcome = prompts.answer(state.prompt, key)
        if outcome is None or isinstance(outcome, Prompt):
            return replace(state, prompt=outcome), None
        return replace(state, prompt=None, notice="..."), outcome
    if state.helping:
        return replace(state, helping=False), Quit() if key in {"q", keys.QUIT} else None
    if key in {"q", keys.QUIT}:
        return state, Quit()
    return _commanded(state, key), None


def _commanded(state: State, key: str) -> State:
    match key:
        case "j" | keys.DOWN:
            after = _moved(state, 1)
        case "k" | keys.UP:
            after = _moved(state, -1)
        case "?":
            after = replace(state, helping=True, notice="")
        case "d":
            after = _asked(state, _dismissals(state), "Nothing waits that could be dismissed.")
        case "p":
            after = _asked(state, [Choice(name="Pause ALL accounts", act=Pause(account=""))], "")
        case "P":
            after = _asked(state, _pauses(state), "No account is known that signs.")
        case "r":
            after = _asked(state, _resumes(state), "No account is paused.")
        case _:
            after = state
    return after


def _moved(state: State, by: int) -> State:
    ids = [] if state.picture is None else [each.id for each in state.picture.approvals]
    if state.selected not in ids:
        return state
    at = min(max(ids.index(state.selected) + by, 0), len(ids) - 1)
    return replace(state, selected=ids[at])


def _asked(state: State, choices: list[Choice], otherwise: str) -> State:
    prompt = prompts.ask(choices)
    return replace(state, prompt=prompt, notice=otherwise if prompt is None else "")


def _dismissals(state: State) -> list[Choice]:
    approval = state.selection()
    if approval is None:
        return []
    what = approval.method if approval.brief is None else approval.brief.actions[0]
    name = f"Dismiss request {approval.id[:8]}: {shorten(what, width=_WHAT_MAX, placeholder='..')}"
    return [Choice(name=name, act=Dismiss(approval=approval.id))]


def _pauses(state: State) -> list[Choice]:
    approval = state.selection()
    accounts = [approval.account] if approval is not None else _accounts(state, {AccountState.ACTIVE})
    return [Choice(name=f"Pause {account}", act=Pause(account=account)) for account in accounts]


def _resumes(state: State) -> list[Choice]:
    accounts = _accounts(state, {AccountState.PAUSED, AccountState.DRAINING})
    each = [Choice(name=f"Resume {account}", act=Resume(account=account)) for account in accounts]
    if len(each) < 2:  # noqa: PLR2004 - all of one is that one
        return each
    return [Choice(name=f"Resume ALL {len(each)} accounts", act=Resume(account="")), *each]


def _accounts(state: State, states: Iterable[AccountState]) -> list[str]:
    """Accounts in one of the states; of those that drain, the ones whose drain is held."""
    known = () if state.picture is None else state.picture.accounts
    return [
        each.account
        for each in known
        if each.state in states and (each.state is not AccountState.DRAINING or each.reason)
    ]


def _is_gone(act: Act, waiting: list[str]) -> bool:
    return isinstance(act, Dismiss) and act.approval not in waiting
