"""The password of the trader's role changes while statements run: none fails, and nothing wrong is taken."""

import asyncio
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.testbed.postgres import PostgresServer
from tests.testbed.postgres_role import PostgresRole, postgres_role
from trader.adapters.postgres.pool import open_database
from trader.domain.errors import ConfigurationError


@pytest_asyncio.fixture
async def role(postgres_dsn: str) -> AsyncIterator[PostgresRole]:
    async with postgres_role(postgres_dsn, "first") as made:
        yield made


async def test_statements_go_on_while_the_password_changes(role: PostgresRole) -> None:
    stop = asyncio.Event()
    async with open_database(role.dsn("first"), connections=4) as database:

        async def work() -> int:
            done = 0
            while not stop.is_set():
                async with database.transaction() as connection:
                    await connection.fetchval("SELECT pg_sleep(0.002)")
                done += 1
            return done

        working = [asyncio.create_task(work()) for _ in range(8)]
        async with database.transaction() as begun_before:
            await role.change_password("second")
            await database.use(role.dsn("second"))
            await asyncio.sleep(0.05)
            user = await begun_before.fetchval("SELECT current_user")
        stop.set()
        done = await asyncio.gather(*working)
        await role.hang_up()
        with pytest.raises(ConfigurationError, match="password authentication failed"):
            async with open_database(role.dsn("first")):
                pass

    assert all(done)
    assert user == role.name


async def test_a_password_that_does_not_work_yet_is_not_taken(role: PostgresRole) -> None:
    async with open_database(role.dsn("first"), connections=2) as database:
        with pytest.raises(ConfigurationError, match="password authentication failed") as caught:
            await database.use(role.dsn("second"))
        still_works = await asyncio.gather(*(database.fetchval("SELECT 1") for _ in range(4)))
        await role.change_password("second")
        await database.use(role.dsn("second"))
        works = await database.fetchval("SELECT 1")

    assert (still_works, works) == ([1] * 4, 1)
    assert ":second@" not in str(caught.value)


async def test_another_database_is_not_taken_under_way(role: PostgresRole, postgres: PostgresServer) -> None:
    async with (
        open_database(role.dsn("first")) as database,
        postgres.database() as another,
    ):
        place = database.place
        with pytest.raises(ConfigurationError, match="another database than ours"):
            await database.use(another)

        assert database.place == place
        assert await database.fetchval("SELECT current_user") == role.name


@pytest.mark.parametrize("wrong", ["port=hunter2", "hunter=2", "statement_timeout=hunter2"])
async def test_a_parameter_that_nobody_knows_is_a_matter_of_configuration(
    postgres_dsn: str, wrong: str
) -> None:
    with pytest.raises(ConfigurationError, match="cannot be used with this DSN") as caught:
        async with open_database(f"{postgres_dsn}&{wrong}"):
            pass
    async with open_database(postgres_dsn) as database:
        with pytest.raises(ConfigurationError, match="cannot be used with this DSN"):
            await database.use(f"{postgres_dsn}&{wrong}")

    assert "hunter2" not in str(caught.value)
