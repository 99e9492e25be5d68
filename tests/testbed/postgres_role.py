"""A role of PostgreSQL that has to say its password, which can be changed under way; owns one database.

The test bed's server believes everybody on its socket. For this role alone it asks.
"""

import contextlib
import uuid
from asyncio import to_thread
from collections.abc import AsyncIterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import asyncpg

from tests.testbed.processes import until


@dataclass(frozen=True, slots=True, kw_only=True)
class PostgresRole:
    """`administrator` is the DSN of the role's database for somebody who needs no password."""

    administrator: str
    name: str

    def dsn(self, password: str) -> str:
        """How the role gets into its database."""
        return urlunsplit(urlsplit(self.administrator)._replace(netloc=f"{self.name}:{password}@"))

    async def change_password(self, password: str) -> None:
        """From now on new connections need this one."""
        await self.execute(f"ALTER ROLE \"{self.name}\" PASSWORD '{password}'")

    async def hang_up(self) -> None:
        """End every connection of the role."""
        of_role = f"usename = '{self.name}'"
        await self.execute(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE {of_role}")  # noqa: S608

    async def execute(self, *statements: str) -> None:
        """As administrator."""
        connection = await asyncpg.connect(self.administrator)
        try:
            for statement in statements:
                await connection.execute(statement)
        finally:
            await connection.close()


@contextlib.asynccontextmanager
async def postgres_role(administrator: str, password: str) -> AsyncIterator[PostgresRole]:
    """A role with this password that owns the database of the DSN, gone at the end."""
    role = PostgresRole(administrator=administrator, name=f"role_{uuid.uuid4().hex[:8]}")
    database = urlsplit(administrator).path.lstrip("/")
    await role.execute(
        f"CREATE ROLE \"{role.name}\" LOGIN PASSWORD '{password}'",
        f'ALTER DATABASE "{database}" OWNER TO "{role.name}"',
    )
    rules = await _rules(administrator)
    before = await to_thread(rules.read_text)
    try:
        await to_thread(rules.write_text, f"local all {role.name} scram-sha-256\n{before}")
        await role.execute("SELECT pg_reload_conf()")
        await until(partial(_asks, role), what="the server asks for a password")
        yield role
    finally:
        await to_thread(rules.write_text, before)
        await role.execute(
            f'REASSIGN OWNED BY "{role.name}" TO CURRENT_USER',
            f'DROP OWNED BY "{role.name}"',
            f'DROP ROLE "{role.name}"',
            "SELECT pg_reload_conf()",
        )


async def _rules(administrator: str) -> Path:
    connection = await asyncpg.connect(administrator)
    try:
        return Path(str(await connection.fetchval("SHOW hba_file")))
    finally:
        await connection.close()


async def _asks(role: PostgresRole) -> bool:
    try:
        connection = await asyncpg.connect(role.dsn("wrong"))
    except asyncpg.InvalidPasswordError:
        return True
    await connection.close()
    return False
