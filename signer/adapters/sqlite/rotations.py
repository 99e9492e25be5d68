"""Rotations: begun, made urgent, finished, turned back, each in one step. Retires only what is quiet."""

import sqlite3
from collections.abc import Sequence

from signer.adapters.sqlite import rows
from signer.adapters.sqlite.accounts import open_account, step
from signer.adapters.sqlite.work import Work
from signer.domain.accounts import AccountId, AccountState
from signer.domain.errors import NotFoundError, PreconditionError
from signer.domain.reasons import FailReason
from signer.domain.rotation import AccountEvent, Rotation, RotationId, RotationState
from signer.domain.slots import SlotState
from signer.domain.time import UnixMs

_SELECT = "SELECT id, old_account, new_account, emergency, begun_at, state, dust FROM rotations"
_INSERT = """
INSERT INTO rotations (old_account, new_account, emergency, begun_at, state) VALUES (?, ?, ?, ?, 'open')
"""
_END = "UPDATE rotations SET state = ?, ended_at = ?, dust = ? WHERE id = ?"
_OPEN_SLOT = """
SELECT nonce, state FROM transactions
WHERE account = ? AND state IN ('reserved', 'signed', 'broadcast', 'mined') ORDER BY nonce LIMIT 1
"""


def read_all(connection: sqlite3.Connection) -> Sequence[Rotation]:
    """Every rotation, in the order in which they began."""
    return tuple(map(_rotation, connection.execute(f"{_SELECT} ORDER BY id")))


def begin(
    work: Work, old: AccountId, new: AccountId, first_nonce: int, now: UnixMs, *, emergency: bool
) -> Rotation:
    """Open rotation from `old` to `new`; one that is open already stays, but becomes urgent when asked to.

    Raises PreconditionError saying which of the two accounts stands in the way.
    """
    at = work.book.moment(now)
    known = next((one for one in _open(work) if one.old == old), None)
    if known is not None:
        return _again(work, known, new, emergency=emergency)
    _require_free(work, old, new)
    open_account(work, new, first_nonce, now)
    step(work, old, AccountEvent.ROTATION_BEGUN, "", now)
    return _insert(work, old, new, at, emergency=emergency)


def finish(work: Work, rotation: RotationId, dust: str, now: UnixMs) -> Rotation:
    """Retire the old account for ever. Raises PreconditionError while anything of it is open."""
    known = _named(work, rotation)
    if known.state is RotationState.FINISHED:
        return known
    _require_open(known)
    if (slot := work.connection.execute(_OPEN_SLOT, (known.old,)).fetchone()) is not None:
        raise PreconditionError(
            FailReason.ROTATION_NOT_POSSIBLE, f"nonce {slot[0]} of {known.old} is {SlotState(slot[1])}"
        )
    step(work, known.old, AccountEvent.ROTATION_FINISHED, "", now)
    work.connection.execute(_END, (RotationState.FINISHED, work.book.moment(now), dust, rotation))
    return _named(work, rotation)


def turn_back(work: Work, rotation: RotationId, now: UnixMs) -> Rotation:
    """Let the old account go on and begin to drain the new one into it. Returns that second rotation."""
    known, at = _named(work, rotation), work.book.moment(now)
    if known.state is RotationState.TURNED_BACK:
        return next(one for one in read_all(work.connection) if one.old == known.new and one.id > known.id)
    _require_open(known)
    work.connection.execute(_END, (RotationState.TURNED_BACK, at, "", rotation))
    _keep_paused(work, known.old, AccountEvent.ROTATION_TURNED_BACK, now)
    _keep_paused(work, known.new, AccountEvent.ROTATION_BEGUN, now)
    return _insert(work, known.new, known.old, at, emergency=False)


def _again(work: Work, known: Rotation, new: AccountId, *, emergency: bool) -> Rotation:
    if known.new != new:
        raise PreconditionError(
            FailReason.ROTATION_NOT_POSSIBLE,
            f"{known.old} is being rotated to {known.new}: finish that first",
        )
    if emergency and not known.emergency:
        work.connection.execute("UPDATE rotations SET emergency = 1 WHERE id = ?", (known.id,))
    return _named(work, known.id)


def _keep_paused(work: Work, account: AccountId, event: AccountEvent, now: UnixMs) -> None:
    """One step of an account that an operator may have paused: turning back is no resume."""
    status = rows.account_status(work.connection, account)
    step(work, account, event, "", now)
    if status is not None and status.reason:
        step(work, account, AccountEvent.PAUSE, status.reason, now)


def _require_free(work: Work, old: AccountId, new: AccountId) -> None:
    for one in _open(work):
        if shared := {one.old, one.new} & {old, new}:
            raise PreconditionError(
                FailReason.ROTATION_NOT_POSSIBLE,
                f"{min(shared)} takes part in the rotation of {one.old} to {one.new}: finish that first",
            )
    status = rows.account_status(work.connection, new)
    if status is not None and status.state is not AccountState.ACTIVE:
        raise PreconditionError(
            FailReason.ROTATION_NOT_POSSIBLE,
            f"{new} is {status.state}: an active or a new account can take over",
        )


def _insert(work: Work, old: AccountId, new: AccountId, at: UnixMs, *, emergency: bool) -> Rotation:
    row = work.connection.execute(_INSERT, (old, new, int(emergency), at)).lastrowid
    rotation = _named(work, RotationId(row or 0))
    links = [(one.old, one.new) for one in read_all(work.connection)]
    work.afterwards(lambda: work.book.relate(links))
    return rotation


def _open(work: Work) -> Sequence[Rotation]:
    return tuple(one for one in read_all(work.connection) if one.state is RotationState.OPEN)


def _named(work: Work, rotation: RotationId) -> Rotation:
    row = work.connection.execute(f"{_SELECT} WHERE id = ?", (rotation,)).fetchone()
    if row is None:
        raise NotFoundError(f"no rotation {rotation} in this ledger")
    return _rotation(row)


def _require_open(known: Rotation) -> None:
    if known.state is not RotationState.OPEN:
        raise PreconditionError(
            FailReason.ROTATION_NOT_POSSIBLE, f"the rotation of {known.old} has ended: it is {known.state}"
        )


def _rotation(row: tuple[int, str, str, int, int, str, str]) -> Rotation:
    return Rotation(
        id=RotationId(row[0]),
        old=AccountId(row[1]),
        new=AccountId(row[2]),
        emergency=bool(row[3]),
        begun_at=UnixMs(row[4]),
        state=RotationState(row[5]),
        dust=row[6],
    )
