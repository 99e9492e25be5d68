"""What an operator is told of a rotation, one line each. Reads a position; decides nothing."""

from collections.abc import Iterator
from dataclasses import dataclass

from signer.domain.accounts import AccountId
from signer.domain.decisions import Denied
from signer.domain.rotation import Rotation, RotationState
from signer.service.rotation.plan import Broadcast, Position, Replace, Send, Step, Swept, Wait


@dataclass(frozen=True, slots=True, kw_only=True)
class RotationReport:
    """Who takes over, what was done and what is left, and whether the old account is retired."""

    new_account: AccountId
    progress: tuple[str, ...]
    finished: bool
    swept: bool


def report(
    rotation: Rotation,
    position: Position | None,
    step: Step | None,
    denial: Denied | None = None,
    held: str = "",
) -> RotationReport:
    """Report on a rotation; position, step and why that would be denied of one that is open."""
    return RotationReport(
        new_account=rotation.new,
        progress=(*_lines(rotation, position, step, held), *_denied(denial)),
        finished=rotation.state is RotationState.FINISHED,
        swept=isinstance(step, Swept) or rotation.state is RotationState.FINISHED,
    )


def dust_of(position: Position) -> str:
    """What stays behind because moving it would cost as much as it is worth."""
    tokens = [f"{left.amount} base units of {left.token}" for left in position.tokens if left.dust]
    native = [f"{position.native_wei} wei"] if position.native_wei else []
    return ", ".join((*native, *tokens))


def _lines(rotation: Rotation, position: Position | None, step: Step | None, held: str) -> Iterator[str]:
    if rotation.state is RotationState.FINISHED:
        yield f"{rotation.old} is retired; left behind: {rotation.dust or 'nothing'}"
    if rotation.state is RotationState.TURNED_BACK:
        yield f"turned back: {rotation.old} goes on, {rotation.new} drains into it"
    if position is None or step is None:
        return
    if held:
        yield f"held: {held}; `airlock-signer resume` lets the drain go on"
    if position.emergency:
        yield "emergency: dearest first, nobody is waited for"
    if position.pending:
        yield f"{len(position.pending)} transactions wait to be mined"
    for allowance in position.allowances:
        yield f"allowance of {allowance.token} for {allowance.spender} is not 0"
    for left in position.tokens:
        yield f"{left.amount} base units of {left.token} are left{' (dust)' if left.dust else ''}"
    yield f"{position.native_wei} wei of the native coin are left"
    yield _next(step)


def _denied(denial: Denied | None) -> Iterator[str]:
    for found in () if denial is None else denial.violations:
        yield (
            f"which is denied now ({found.reason}): {found.rule} allows {found.limit} {found.unit}, "
            f"it would be {found.actual}; the drain goes on when the window or the policy moves"
        )


def _next(step: Step) -> str:
    match step:
        case Wait(why=why):
            return f"waits: {why}"
        case Swept():
            return "swept: only dust is left, and that is final; `rotate account finish` retires the account"
        case Send(action=action):
            return f"next: {type(action).__name__}"
        case Replace(kind=kind):
            return f"next: a {kind} of what is stuck"
        case Broadcast():
            return "next: broadcast what is signed"
