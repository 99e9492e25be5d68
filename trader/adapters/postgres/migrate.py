"""Brings the schema up to date, plain SQL file by file. Refuses a database with another history."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import resources

from trader.adapters.postgres.pool import Database
from trader.domain.errors import ConfigurationError

_LOCK = 0x41_49_52_4C  # "AIRL": everybody who migrates waits for the same number


@dataclass(frozen=True, slots=True, kw_only=True)
class Migration:
    """One SQL file. Once applied anywhere it never changes; a correction is a new file."""

    name: str
    sql: str

    @property
    def sha256(self) -> str:
        """Hex digest that is recorded beside the name."""
        return hashlib.sha256(self.sql.encode()).hexdigest()


def packaged() -> Sequence[Migration]:
    """The files of this version, in the order of their names."""
    folder = resources.files("trader.adapters.postgres") / "migrations"
    return tuple(
        Migration(name=file.name, sql=file.read_text(encoding="utf-8"))
        for file in sorted(folder.iterdir(), key=lambda file: file.name)
        if file.name.endswith(".sql")
    )


async def migrate(database: Database, migrations: Sequence[Migration] | None = None) -> Sequence[str]:
    """Apply what is missing, all or nothing, and return its names. Several processes may do so at once.

    Raises ConfigurationError naming the first applied file that was changed since, or that we do not have.
    """
    wanted = packaged() if migrations is None else migrations
    async with database.transaction() as connection:
        await connection.execute("SELECT pg_advisory_xact_lock($1)", _LOCK)
        await connection.execute(_HISTORY)
        rows = await connection.fetch("SELECT name, sha256 FROM schema_migrations ORDER BY name")
        applied = {str(row["name"]): str(row["sha256"]) for row in rows}
        _check(applied, wanted, database.place)
        missing = [migration for migration in wanted if migration.name not in applied]
        for migration in missing:
            await connection.execute(migration.sql)
            await connection.execute(
                "INSERT INTO schema_migrations VALUES ($1, $2)", migration.name, migration.sha256
            )
    return tuple(migration.name for migration in missing)


_HISTORY = """
CREATE TABLE IF NOT EXISTS schema_migrations (
  name       text PRIMARY KEY,
  sha256     text NOT NULL,
  applied_at timestamptz NOT NULL DEFAULT now()
)
"""


def _check(applied: dict[str, str], wanted: Sequence[Migration], place: str) -> None:
    ours = {migration.name: migration.sha256 for migration in wanted}
    for name, sha256 in applied.items():
        if name not in ours:
            raise ConfigurationError(
                f"{place} was migrated by another version: {name} is applied there and not part of this one; "
                "the version that has it, or a newer one, is allowed"
            )
        if ours[name] != sha256:
            raise ConfigurationError(
                f"migration {name} was changed after {place} applied it: its SHA-256 there is {sha256}, "
                f"ours is {ours[name]}; an applied file never changes, a new file is allowed"
            )
    late = [name for name in ours if name not in applied and applied and name < max(applied)]
    if late:
        raise ConfigurationError(
            f"migration {late[0]} would run after {max(applied)} in {place}; a name that sorts last "
            "is allowed"
        )
