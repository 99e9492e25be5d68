"""The trader's books as they were at one moment, as often as they are wanted; faster than new databases."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import asyncpg


class BooksAgain:
    """A copy of every row beside the tables, in a schema of its own."""

    def __init__(self, connection: asyncpg.Connection, tables: Sequence[str]) -> None:
        self._connection, self._tables = connection, tables

    async def again(self) -> None:
        """Every table as it was; guards against changing what is written do not hold for this."""
        async with self._connection.transaction():
            await self._connection.execute("SET LOCAL session_replication_role = replica")
            for table in self._tables:
                await self._connection.execute(f"DELETE FROM public.{table}")  # noqa: S608 - names of our own
                await self._connection.execute(
                    f"INSERT INTO public.{table} OVERRIDING SYSTEM VALUE SELECT * FROM kept.{table}"  # noqa: S608
                )


@asynccontextmanager
async def books_kept(dsn: str) -> AsyncIterator[BooksAgain]:
    """Keep the rows of now."""
    connection = await asyncpg.connect(dsn)
    try:
        rows = await connection.fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
        tables = [str(row["tablename"]) for row in rows]
        await connection.execute("CREATE SCHEMA kept")
        for table in tables:
            await connection.execute(f"CREATE TABLE kept.{table} AS TABLE public.{table}")
        yield BooksAgain(connection, tables)
    finally:
        await connection.close()
