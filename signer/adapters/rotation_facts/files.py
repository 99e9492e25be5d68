"""Ages of the policy, of the accounts in the ledger, and of the newest audit checkpoint. Reads only."""

import asyncio
import sqlite3
from collections.abc import Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from signer.adapters.audit_file.checkpoint_file import checkpoint_path
from signer.adapters.audit_file.checkpoint_line import read_line
from signer.adapters.audit_file.head_file import read_head
from signer.domain.accounts import AccountId, AccountState
from signer.domain.rotating import Fact, Rotating
from signer.domain.time import MS_PER_S, UnixMs

_LATE = 2
"""A checkpoint is overdue at twice its rhythm."""

# An account is as old as the rotation that made it, else as its first reservation, else as its row.
_ACCOUNTS = """
SELECT account, state, coalesce(
    (SELECT min(begun_at) FROM rotations WHERE new_account = account),
    (SELECT reserved_at FROM transactions WHERE transactions.account = accounts.account ORDER BY seq LIMIT 1),
    changed_at)
FROM accounts
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class FileAges:
    """Implements `signer.ports.rotation_facts.FactSource`. `checkpoint_every_s` None: there are none."""

    policy: Path
    ledger: Path
    audit: Path
    checkpoint_every_s: int | None

    async def facts(self) -> Sequence[Fact]:
        """Policy, every account that may still sign, newest checkpoint."""
        return await asyncio.to_thread(lambda: tuple(self._facts()))

    def _facts(self) -> Iterable[Fact]:
        yield _policy(self.policy)
        yield from _accounts(self.ledger)
        if self.checkpoint_every_s is not None:
            yield _checkpoint(self.audit, self.checkpoint_every_s)


def _policy(path: Path) -> Fact:
    try:
        changed = path.stat().st_mtime_ns // 1_000_000
    except OSError as error:
        return Fact(what=Rotating.POLICY, name=path.name, problem=f"cannot be read: {error.strerror}")
    return Fact(what=Rotating.POLICY, name=path.name, since=UnixMs(changed))


def _accounts(path: Path) -> Iterable[Fact]:
    if not path.exists():
        return
    try:
        with closing(sqlite3.connect(f"file:{quote(str(path))}?mode=ro", uri=True)) as connection:
            rows: list[tuple[str, str, int]] = connection.execute(_ACCOUNTS).fetchall()
    except sqlite3.Error as error:
        yield Fact(what=Rotating.ACCOUNT, name=path.name, problem=f"the ledger cannot be read: {error}")
        return
    for account, state, since in rows:
        if state != AccountState.RETIRED:
            yield Fact(what=Rotating.ACCOUNT, name=AccountId(account), since=UnixMs(since))


def _checkpoint(audit: Path, every_s: int) -> Fact:
    path = checkpoint_path(audit)
    try:
        head = read_head(audit)
        lines = path.read_bytes().splitlines(keepends=True) if path.exists() else []
        last = read_line(lines[-1]).statement if lines else None
    except (OSError, ValueError) as error:
        return Fact(what=Rotating.CHECKPOINT, name=audit.name, problem=f"cannot be read: {error}")
    if last is None:
        return Fact(what=Rotating.CHECKPOINT, name=audit.name, problem="there is no checkpoint yet")
    covered = head is None or head.seq <= last.seq
    due = None if covered else UnixMs(last.at + _LATE * every_s * MS_PER_S)
    return Fact(what=Rotating.CHECKPOINT, name=audit.name, since=last.at, due=due)
