"""The queue: what is before a person, and what waits behind it."""

from rich.text import Text

from signer.api.seen import SeenApproval
from signer.cli.console.figures import left
from signer.cli.console.lines import Block, cropped, heading
from signer.cli.console.state import State
from signer.domain.time import UnixMs
from signer.ports.device import DevicePhase

PHASES = {
    DevicePhase.QUEUED: "queued",
    DevicePhase.WAITING_FOR_CONFIRMATION: "ON DEVICE",
    DevicePhase.CONFIRMED: "confirmed",
    DevicePhase.ENDED: "ended",
}
_SHOWN_MAX = 8
_HURRY_MS = 30_000


def queue(state: State, now: UnixMs | None, width: int) -> Block:
    """One line for each request; around the selected one when they are many."""
    approvals = () if state.picture is None else state.picture.approvals
    title = f"WAITING FOR A PERSON: {len(approvals) or 'nothing'}"
    first = _first(approvals, state.selected)
    lines = tuple(
        _line(each, position, selected=each.id == state.selected, now=now, width=width)
        for position, each in enumerate(approvals[first : first + _SHOWN_MAX], first + 1)
    )
    return Block(lines=(heading(title, width), *lines), rank=70, least=min(len(lines), 1) + 1)


def time_left(approval: SeenApproval, now: UnixMs | None) -> str:
    """Until the request ends by itself; unknown while nobody knows the signer's clock."""
    return "?" if now is None else left(approval.ends_at - now)


def _first(approvals: tuple[SeenApproval, ...], selected: str) -> int:
    """Where the shown part begins: with the selected one, when it would not be among the first."""
    at = next((position for position, each in enumerate(approvals) if each.id == selected), 0)
    return at if at >= _SHOWN_MAX else 0


def _line(approval: SeenApproval, position: int, *, selected: bool, now: UnixMs | None, width: int) -> Text:
    what = approval.method if approval.brief is None else approval.brief.actions[0]
    mark = ">" if selected else " "
    phase, ends = PHASES[approval.phase], time_left(approval, now)
    hurry = now is not None and approval.ends_at - now < _HURRY_MS
    style = "bold" if selected else ""
    text = (
        f"{mark}{position:>2} {phase:<9} {ends:>5}{'!' if hurry else ' '} {approval.device[:10]:<10} {what}"
    )
    return cropped(Text(text, style=f"{style} yellow" if hurry else style), width)
