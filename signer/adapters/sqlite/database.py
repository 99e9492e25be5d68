"""The ledger's file: opened, locked, checked, marked. Refuses a damaged, foreign, used or restored one."""

import os
import sqlite3
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

from signer.adapters.sqlite.epoch import LedgerIdentity, Mark, MarkFile, why_doubtful
from signer.adapters.sqlite.file_lock import FileLock
from signer.domain.errors import ConfigurationError, PreconditionError
from signer.domain.reasons import FailReason
from signer.domain.rolling import LONGEST_WINDOW_S
from signer.domain.time import MS_PER_S, UnixMs

STEPS = ("schema.sql", "rotation.sql", "guardian.sql")
"""What makes each version out of the one before; a new ledger takes all of them."""
SCHEMA_VERSION = len(STEPS)
APPLICATION_ID = 0x41495231  # "AIR1"
KEEP_CHARGES_MS = 2 * LONGEST_WINDOW_S * MS_PER_S

_HERE = Path(__file__).parent
_BUSY_MS = 250
# Never those of a nonce that is still open: a reorganisation may bring them back.
_FORGET_CHARGES = """
DELETE FROM charges WHERE dated_at < ? AND NOT EXISTS (
    SELECT 1 FROM transactions AS its JOIN transactions AS other USING (account, nonce)
    WHERE its.id = charges.transaction_id AND other.state IN ('signed', 'broadcast', 'mined')
)
"""
_PRAGMAS = (
    "PRAGMA journal_mode = WAL",
    "PRAGMA synchronous = FULL",
    "PRAGMA foreign_keys = ON",
    f"PRAGMA busy_timeout = {_BUSY_MS}",
    "PRAGMA trusted_schema = OFF",
    "PRAGMA temp_store = MEMORY",
    "PRAGMA cache_size = -4096",
    # A checkpoint writes every page again: fewer of them, at the price of a few MB beside the ledger.
    "PRAGMA wal_autocheckpoint = 4000",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Database:
    """An open ledger. `writer` belongs to group commit, `reader` sees only what is durable."""

    name: str
    writer: sqlite3.Connection
    reader: sqlite3.Connection
    mark: MarkFile | None
    resources: ExitStack

    def note_progress(self, cursor: int) -> None:
        """Let the mark remember the last durable event."""
        if self.mark is not None:
            self.mark.advance(cursor)

    def close(self) -> None:
        """Close connections, mark and lock, in this order."""
        self.resources.close()


def open_database(path: Path | None, now: UnixMs, *, accept_restored: bool) -> Database:
    """Open the ledger, or one in memory for None.

    Raises ConfigurationError naming the file and what to do, PreconditionError for a restored or copied one.
    """
    if path is None:
        return _open_in_memory()
    with ExitStack() as resources:
        _prepare_file(path, resources)
        try:
            writer = _connect(path, resources)
            _check_kind(path, writer)
            for pragma in _PRAGMAS:
                writer.execute(pragma)
            _check_integrity(path, writer)
            mark = _begin_epoch(path, writer, resources, accept_restored=accept_restored)
            _bring_up_to_date(writer)
            writer.execute(_FORGET_CHARGES, (now - KEEP_CHARGES_MS,))
            reader = _connect(path, resources)
            reader.execute("PRAGMA query_only = ON")
        except sqlite3.Error as error:
            raise ConfigurationError(
                f"{path}: the ledger cannot be used ({error}). Repair that; or keep the file, restore the "
                "newest backup and start once with the flag that accepts a restored ledger"
            ) from error
        except OSError as error:
            raise ConfigurationError(f"{path}: the ledger cannot be used ({error})") from error
        return Database(
            name=str(path), writer=writer, reader=reader, mark=mark, resources=resources.pop_all()
        )
    raise AssertionError  # an ExitStack of ours swallows nothing


def _open_in_memory() -> Database:
    resources = ExitStack()
    connection = _connect(None, resources)
    connection.execute("PRAGMA foreign_keys = ON")
    _migrate(connection, 0)
    return Database(name=":memory:", writer=connection, reader=connection, mark=None, resources=resources)


def _prepare_file(path: Path, resources: ExitStack) -> None:
    if not path.parent.is_dir():
        raise ConfigurationError(f"{path}: the folder of the ledger does not exist; make it, with mode 0700")
    resources.callback(FileLock(path.with_name(f"{path.name}.lock")).release)
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        os.fchmod(descriptor, 0o600)
        os.close(descriptor)
        _sync_folder(path.parent)
    except OSError as error:
        raise ConfigurationError(
            f"{path}: the ledger cannot be opened for writing ({error.strerror})"
        ) from error


def _connect(path: Path | None, resources: ExitStack) -> sqlite3.Connection:
    # Threads take turns: the loop stages and reads, the flushing thread commits. SQLite is built serialized.
    connection = sqlite3.connect(
        path or ":memory:", isolation_level=None, check_same_thread=False, timeout=_BUSY_MS / 1000
    )
    resources.callback(connection.close)
    return connection


def _check_kind(path: Path, connection: sqlite3.Connection) -> None:
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    (tables,) = connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()
    if (application, version, tables) == (0, 0, 0):
        _migrate(connection, 0)
    elif application != APPLICATION_ID:
        raise ConfigurationError(
            f"{path}: this is a database, but not a ledger of a signer; name another file"
        )
    elif not 1 <= version <= SCHEMA_VERSION:
        raise ConfigurationError(
            f"{path}: the ledger has version {version}; this signer reads versions up to {SCHEMA_VERSION}. "
            "Start the signer that wrote it"
        )


def _bring_up_to_date(connection: sqlite3.Connection) -> None:
    # Last, so that a ledger that is refused (damaged, restored, copied) was not changed.
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if version < SCHEMA_VERSION:
        _migrate(connection, version)


def _migrate(connection: sqlite3.Connection, version: int) -> None:
    """Bring a ledger of `version` (0: an empty file) to the newest, in one transaction."""
    steps = "".join((_HERE / name).read_text(encoding="utf-8") for name in STEPS[version:])
    connection.executescript(
        f"BEGIN IMMEDIATE; {steps}"
        f"PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = {SCHEMA_VERSION}; COMMIT;"
    )


def _check_integrity(path: Path, connection: sqlite3.Connection) -> None:
    # Not quick_check: an index that lost an entry would let a nonce or a key be used twice.
    (verdict,) = connection.execute("PRAGMA integrity_check(1)").fetchone()
    orphan = connection.execute("PRAGMA foreign_key_check").fetchone()
    if verdict != "ok" or orphan is not None:
        problem = verdict if verdict != "ok" else f"table {orphan[0]} has an orphan"
        raise ConfigurationError(
            f"{path}: the ledger is damaged ({problem}). Keep the file, restore the newest backup and start "
            "once with the flag that accepts a restored ledger"
        )


def _begin_epoch(
    path: Path, connection: sqlite3.Connection, resources: ExitStack, *, accept_restored: bool
) -> MarkFile:
    mark_path = path.with_name(f"{path.name}.epoch")
    inode = path.stat().st_ino
    ledger = _identity(connection)
    existed = mark_path.exists()
    mark_file = MarkFile(mark_path)
    resources.callback(mark_file.close)
    doubt = why_doubtful(ledger, mark_file.read() if existed else None, inode)
    if doubt is not None and not accept_restored:
        if not existed:
            mark_path.unlink()
        raise PreconditionError(
            FailReason.LEDGER_NEEDS_RECONCILE,
            f"{path}: this ledger was restored or copied: {doubt} ({mark_path.name}). Stop every other copy, "
            "reconcile nonces with the chain, and start once with the flag that accepts a restored ledger",
        )
    epoch = uuid4().hex
    # The ledger first: a crash between the two leaves the mark at `previous_epoch`, which is known.
    connection.execute(
        "INSERT INTO meta VALUES (1, 1, ?1, '', ?2, ?3) ON CONFLICT DO UPDATE SET boots = boots + 1, "
        "previous_epoch = epoch, epoch = ?1, file_inode = ?2, accepted_restores = accepted_restores + ?3",
        (epoch, inode, int(doubt is not None)),
    )
    mark_file.begin(Mark(epoch=epoch, cursor=ledger.cursor))
    _sync_folder(path.parent)
    return mark_file


def _identity(connection: sqlite3.Connection) -> LedgerIdentity:
    (cursor,) = connection.execute("SELECT coalesce(max(cursor), 0) FROM events").fetchone()
    row = connection.execute("SELECT boots, epoch, previous_epoch, file_inode FROM meta").fetchone()
    boots, epoch, previous, inode = row or (0, "", "", 0)
    return LedgerIdentity(boots=boots, epoch=epoch, previous_epoch=previous, file_inode=inode, cursor=cursor)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
