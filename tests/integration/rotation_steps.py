"""Every step of a rotating signer that outlives its process, with a name and a hook on both sides of it.

The ledger's commits and the note of how far it is, the lines of the audit trail and the note of its end, and
the broadcasts. All that a signer changes outside of its memory while it rotates is one of these.
"""

import inspect
from collections.abc import Callable, Sequence
from typing import TypeVar

from signer.adapters.audit_file import AuditFile, Head
from signer.adapters.audit_file.lines import StagedLines
from signer.adapters.sqlite.store import AnyUnit, Unit
from signer.domain.transactions import SignedBytes
from signer.ports.audit import AuditRecord
from signer.ports.ledger import SlotChange
from signer.service.rotation.position import access_of
from tests.integration.rotation_rig import OLD, RotationRig

R = TypeVar("R")
Hook = Callable[[str], None]


def watch(rig: RotationRig, before: Hook, after: Hook) -> None:
    """Let `before` and `after` hear the name of every step of this rig from now on."""
    ledger, audit = rig.ledger._store, rig.audit
    assert isinstance(audit, AuditFile)
    trail, staged = audit._lines, [""]

    def around(name: str, act: Callable[[], R]) -> R:
        before(name)
        result = act()
        after(name)
        return result

    # Staged is nothing but the lines of the trail: an open transaction, which a crash rolls back.
    stage, commit, note = ledger.stage, ledger.flush, ledger.flushed

    def stage_with_name(units: Sequence[AnyUnit]) -> None:
        staged[0] = " and ".join(map(_work, units))
        stage(units)

    # A line that is written survives the process; the fdatasync after it is for the machine.
    write, note_end = trail.stage, trail.note

    def write_lines(records: Sequence[AuditRecord]) -> StagedLines:
        return around(f"audit line: {' and '.join(map(_decision, records))}", lambda: write(records))

    def note_end_of(head: Head) -> None:
        around("audit note of its end", lambda: note_end(head))

    broadcaster = access_of(rig.services.accounts.binding(OLD)).broadcaster
    send = broadcaster.broadcast

    async def broadcast(signed: SignedBytes) -> str | None:
        before("broadcast")
        objection = await send(signed)
        after("broadcast")
        return objection

    _put(ledger, "stage", stage_with_name)
    _put(ledger, "flush", lambda: around(f"ledger commit: {staged[0]}", commit))
    _put(ledger, "flushed", lambda: around("ledger note of its end", note))
    _put(trail, "stage", write_lines)
    _put(trail, "note", note_end_of)
    _put(broadcaster, "broadcast", broadcast)


def _put(owner: object, method: str, instead: object) -> None:
    assert callable(getattr(owner, method))
    setattr(owner, method, instead)


def _work(unit: AnyUnit) -> str:
    """The ledger's method that the unit belongs to, and the events that it records."""
    assert isinstance(unit, Unit)
    changes: Sequence[SlotChange] = inspect.getclosurevars(unit._work).nonlocals.get("changes", ())
    return " ".join([unit._work.__qualname__.split(".")[1], *(change.event for change in changes)])


def _decision(record: AuditRecord) -> str:
    return f"{record.verdict} {(record.actions or record.details)[0].partition('(')[0].partition(':')[0]}"
