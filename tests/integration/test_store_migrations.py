import asyncio
from dataclasses import replace

import asyncpg
import pytest

from tests.fakes.books import rows
from tests.fakes.trade import WALLET, WRAPPED
from trader.adapters.postgres.migrate import Migration, migrate, packaged
from trader.adapters.postgres.pool import open_database
from trader.domain.errors import ConfigurationError

ONE = Migration(name="0001_one.sql", sql="CREATE TABLE one (id int);")
TWO = Migration(name="0002_two.sql", sql="CREATE TABLE two (id int);")


async def test_files_run_once_and_in_order(postgres_dsn: str) -> None:
    async with open_database(postgres_dsn) as database:
        assert await migrate(database, [ONE]) == (ONE.name,)
        assert await migrate(database, [ONE, TWO]) == (TWO.name,)
        assert await migrate(database, [ONE, TWO]) == ()


async def test_processes_that_start_at_once_migrate_once(postgres_dsn: str) -> None:
    async def start() -> int:
        async with open_database(postgres_dsn) as database:
            return len(await migrate(database))

    assert sorted(await asyncio.gather(*(start() for _ in range(4)))) == [0, 0, 0, len(packaged())]


async def test_a_file_that_was_changed_after_it_ran_is_named(postgres_dsn: str) -> None:
    async with open_database(postgres_dsn) as database:
        await migrate(database, [ONE, TWO])

        with pytest.raises(ConfigurationError, match=r"0001_one\.sql was changed .* a new file is allowed"):
            await migrate(database, [replace(ONE, sql="CREATE TABLE other (id int);"), TWO])


async def test_a_database_of_another_version_names_the_file_that_we_lack(postgres_dsn: str) -> None:
    async with open_database(postgres_dsn) as database:
        await migrate(database, [ONE, TWO])

        with pytest.raises(ConfigurationError, match=r"0002_two\.sql is applied there and not part of this"):
            await migrate(database, [ONE])


async def test_a_file_that_would_run_out_of_order_is_refused(postgres_dsn: str) -> None:
    async with open_database(postgres_dsn) as database:
        await migrate(database, [TWO])

        with pytest.raises(ConfigurationError, match=r"0001_one\.sql would run after 0002_two\.sql"):
            await migrate(database, [ONE, TWO])


async def test_a_file_that_fails_leaves_nothing_behind(postgres_dsn: str) -> None:
    async with open_database(postgres_dsn) as database:
        with pytest.raises(asyncpg.PostgresSyntaxError):
            await migrate(database, [ONE, replace(TWO, sql="CREATE TABL two")])

        assert (
            await rows(postgres_dsn, "SELECT to_regclass('one') AS made WHERE to_regclass('one') IS NOT NULL")
            == []
        )
        assert await migrate(database, [ONE, TWO]) == (ONE.name, TWO.name)


async def test_entries_of_an_older_version_are_kept_to_the_last_one(postgres_dsn: str) -> None:
    older = [migration for migration in packaged() if migration.name < "0004"]
    query = "SELECT account::text, amount FROM ledger_entries ORDER BY line"
    async with open_database(postgres_dsn) as database:
        await migrate(database, older)
        await rows(
            postgres_dsn,
            "INSERT INTO ledger_entries VALUES (1, 1, 0, $1, NULL, 'wallet/free', $2, 5),"
            " (1, 2, 0, $1, NULL, 'equity/opening', $2, -5)",
            WALLET,
            WRAPPED,
        )
        before = await rows(postgres_dsn, query)

        await migrate(database)

        assert await rows(postgres_dsn, query) == before
        assert len(before) == 2
