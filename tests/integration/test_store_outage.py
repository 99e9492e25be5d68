import asyncio
import contextlib
import os
import signal
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import pytest

from tests.fakes.books import open_books, order_at, rows, step
from tests.fakes.trade import WALLET
from tests.testbed.parts import require
from tests.testbed.processes import Child, free_port, until
from trader.adapters.postgres.embedded import embedded_server
from trader.adapters.postgres.order_store import open_order_store
from trader.adapters.postgres.pool import open_database
from trader.domain.errors import ConfigurationError, StoreUnavailableError
from trader.domain.orders import OrderState


async def test_a_database_that_is_not_there_is_named_without_its_password() -> None:
    port = free_port()

    with pytest.raises(StoreUnavailableError, match=f"host 127.0.0.1, port {port}, database books") as caught:
        async with open_database(f"postgresql://trader:hunter2@127.0.0.1:{port}/books"):
            pass

    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    "dsn",
    [
        "mysql://trader:hunter2@127.0.0.1/books",
        "hunter2",
        "postgresql://trader:hunter2@127.0.0.1:port/books",
        "postgresql://trader:hunter2@[::1/books",
        "postgresql://trader:12/hunter2@127.0.0.1/books",
        "postgresql://trader:hunter2@127.0.0.1/books?sslmode=hunter2",
    ],
)
async def test_a_dsn_that_cannot_work_says_what_is_allowed(dsn: str) -> None:
    with pytest.raises(
        ConfigurationError, match="postgresql://USER:PASSWORD@HOST:PORT/DATABASE is allowed"
    ) as caught:
        async with open_database(dsn):
            pass

    assert "hunter2" not in str(caught.value)


async def test_a_database_that_does_not_exist_is_a_matter_of_configuration(postgres_dsn: str) -> None:
    with pytest.raises(ConfigurationError, match="nowhere"):
        async with open_database(postgres_dsn.replace("/airlock_", "/nowhere_")):
            pass


async def test_a_cut_connection_is_an_outage_and_the_next_call_works(postgres_dsn: str) -> None:
    async with open_books(postgres_dsn) as store:
        claim = await order_at(store, OrderState.QUOTED)
        await rows(postgres_dsn, _CUT)

        with contextlib.suppress(StoreUnavailableError):  # or the pool has noticed already
            await store.get(claim.order.id)

        assert await store.get(claim.order.id) == claim.order
        await step(store, claim, OrderState.RESERVED)
        await store.close_books(WALLET)


async def test_a_connection_cut_within_a_step_leaves_it_whole_or_undone(postgres_dsn: str) -> None:
    async with open_books(postgres_dsn) as store:
        claim = await order_at(store, OrderState.QUOTED)
        blocker = await asyncpg.connect(postgres_dsn)
        try:
            async with blocker.transaction():
                await blocker.execute("SELECT FROM wallets FOR UPDATE")
                attempt = asyncio.create_task(step(store, claim, OrderState.RESERVED))

                async def waiting() -> bool:
                    return bool(
                        await blocker.fetch("SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock'")
                    )

                await until(waiting, what="the step waits for the wallet")
                await blocker.execute(_CUT)
                with pytest.raises(StoreUnavailableError):
                    await attempt
        finally:
            await blocker.close()

        assert await store.get(claim.order.id) == claim.order
        await store.close_books(WALLET)


@pytest.fixture
def folder() -> Iterator[Path]:
    require("postgres")
    with tempfile.TemporaryDirectory(prefix="airlock-pg-", ignore_cleanup_errors=True) as made:
        yield Path(made) / "books"


async def test_the_embedded_server_survives_the_sigkill_of_its_owner(folder: Path, tmp_path: Path) -> None:
    async with Child([sys.executable, "-c", _OWNER, str(folder)], log=tmp_path / "log") as owner:

        async def ready() -> bool:
            assert owner.returncode is None, owner.log()
            return "ready" in owner.log()

        await until(ready, what="the owner's server is up")
        owner.kill()

    async with embedded_server(folder) as dsn, open_order_store(dsn) as store:
        assert len(await store.orders(open_only=True, limit=10)) == 1

    assert not (folder / "postmaster.pid").exists()  # the dead owner was forgotten: the last user stopped it


async def test_the_embedded_server_recovers_when_it_was_killed_itself(folder: Path) -> None:
    async with embedded_server(folder) as dsn, open_books(dsn) as store:
        claim = await order_at(store, OrderState.RESERVED)
        postmaster = int((folder / "postmaster.pid").read_text(encoding="utf-8").split()[0])
        os.kill(postmaster, signal.SIGKILL)

        async def gone() -> bool:
            try:
                await store.get(claim.order.id)
            except StoreUnavailableError:
                return True
            return False

        await until(gone, what="the server is gone")

    async with embedded_server(folder) as dsn, open_order_store(dsn) as store:
        assert await store.get(claim.order.id) == claim.order
        await store.close_books(WALLET)


async def test_a_folder_of_something_else_is_refused(tmp_path: Path) -> None:
    (tmp_path / "letters.txt").touch()

    with pytest.raises(ConfigurationError, match="has files of something else"):
        async with embedded_server(tmp_path):
            pass
    with pytest.raises(ConfigurationError, match="cannot hold the embedded PostgreSQL"):
        async with embedded_server(tmp_path / "letters.txt"):
            pass


_WAITING = "SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
_CUT = """
SELECT pg_terminate_backend(pid) FROM pg_stat_activity
 WHERE datname = current_database() AND pid <> pg_backend_pid()
"""
_OWNER = """
import asyncio, sys
from pathlib import Path
from tests.fakes.books import open_books
from tests.fakes.trade import new_order
from trader.adapters.postgres.embedded import embedded_server

async def main():
    async with embedded_server(Path(sys.argv[1])) as dsn, open_books(dsn) as store:
        await store.create(new_order())
        print("ready", flush=True)
        await asyncio.sleep(600)

asyncio.run(main())
"""
