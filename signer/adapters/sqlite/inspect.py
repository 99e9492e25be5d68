"""Looks at a ledger without touching it: no lock, no epoch, no repair. For `airlock-signer doctor`."""

import sqlite3
from contextlib import closing
from pathlib import Path
from urllib.parse import quote

from signer.adapters.sqlite.database import APPLICATION_ID, SCHEMA_VERSION
from signer.domain.errors import ConfigurationError


def inspect(path: Path) -> str:
    """Say what is there, for people. Raises ConfigurationError for a ledger that a signer would refuse."""
    if not path.exists():
        if not path.parent.is_dir():
            raise ConfigurationError(
                f"{path}: the folder of the ledger does not exist; make it, with mode 0700"
            )
        return "not there yet; the first start makes it"
    try:
        with closing(sqlite3.connect(f"file:{quote(str(path))}?mode=ro", uri=True)) as connection:
            return _describe(path, connection)
    except sqlite3.Error as error:
        raise ConfigurationError(f"{path}: the ledger cannot be used ({error})") from error


def _describe(path: Path, connection: sqlite3.Connection) -> str:
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if application != APPLICATION_ID or not 1 <= version <= SCHEMA_VERSION:
        raise ConfigurationError(f"{path}: is no ledger of a signer of version 1 to {SCHEMA_VERSION}")
    (verdict,) = connection.execute("PRAGMA quick_check(1)").fetchone()
    if verdict != "ok":
        raise ConfigurationError(f"{path}: the ledger is damaged ({verdict})")
    (count,) = connection.execute("SELECT count(*) FROM transactions").fetchone()
    return f"{count} transactions, sound"
