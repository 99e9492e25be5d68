"""Restored or copied? A mark beside the ledger remembers how far it was. Refuses a ledger that knows less.

With every start a random epoch goes into the ledger and the mark; with every commit the number of the last
event goes into the mark, after the ledger is durable. So the mark never knows more than its own ledger, and
a ledger that knows less is another one (invariant 7). What this cannot see (ledger and mark restored
together onto the same file) is for the chain to tell.
"""

import os
from dataclasses import dataclass
from pathlib import Path

_WORD = "airlock-ledger"


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """What the file beside the ledger says."""

    epoch: str
    cursor: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerIdentity:
    """What the ledger says about itself; `boots` is 0 for one that no signer has used."""

    boots: int
    epoch: str
    previous_epoch: str
    file_inode: int
    cursor: int


def why_doubtful(ledger: LedgerIdentity, mark: Mark | None, inode: int) -> str | None:
    """Why the ledger may not be the newest state of this signer, or None."""
    if ledger.boots == 0:
        return None if mark is None else f"it is empty, and the mark remembers {mark.cursor} events"
    if mark is None:
        # A crash within the very first start leaves no mark and nothing to protect.
        return None if ledger.boots == 1 and ledger.cursor == 0 else "its mark is missing or unreadable"
    if mark.epoch not in {ledger.epoch, ledger.previous_epoch}:
        return "it is of another start than its mark"
    if mark.cursor > ledger.cursor:
        return f"it ends at event {ledger.cursor}, and the mark remembers event {mark.cursor}"
    if ledger.file_inode != inode:
        return "it is a copy of the file that the signer used"
    return None


class MarkFile:
    """The mark on disk: one line of fixed length, so that one small write replaces it whole."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        os.fchmod(self._descriptor, 0o600)
        self._epoch = ""

    def read(self) -> Mark | None:
        """The mark, or None when there is none that can be read."""
        words = os.pread(self._descriptor, 256, 0).decode("ascii", "replace").split()
        match words:
            case [word, epoch, cursor] if word == _WORD and cursor.isdigit():
                return Mark(epoch=epoch, cursor=int(cursor))
            case _:
                return None

    def begin(self, mark: Mark) -> None:
        """Write a new start's mark, durably. Raises OSError."""
        self._epoch = mark.epoch
        os.ftruncate(self._descriptor, 0)
        self.advance(mark.cursor)
        os.fsync(self._descriptor)

    def advance(self, cursor: int) -> None:
        """Remember the last event. Not flushed: behind is harmless, and a killed process loses nothing."""
        os.pwrite(self._descriptor, f"{_WORD} {self._epoch} {cursor:020d}\n".encode("ascii"), 0)

    def close(self) -> None:
        """Close the file."""
        os.close(self._descriptor)
