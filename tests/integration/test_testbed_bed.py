import os
from pathlib import Path

import asyncpg
import pytest

from tests.testbed.accounts import dev_account
from tests.testbed.anvil import Anvil, rpc
from tests.testbed.bed import Bed
from tests.testbed.postgres import PostgresServer, postgres_server
from tests.testbed.processes import Child
from tests.testbed.uniswap import World


async def test_a_database_is_fresh_and_gone_afterwards(postgres: PostgresServer) -> None:
    async with postgres.database() as first:
        connection = await asyncpg.connect(first)
        await connection.execute("CREATE TABLE seen (id int)")
        async with postgres.database() as second:
            other = await asyncpg.connect(second)
            tables = await other.fetchval("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'")
            await other.close()
        await connection.close()

    assert tables == 0
    with pytest.raises(asyncpg.InvalidCatalogNameError):
        await asyncpg.connect(first)


async def test_a_server_is_gone_when_its_block_fails() -> None:
    dsns: list[str] = []

    def fails() -> None:
        with postgres_server() as server:
            dsns.append(server.dsn)
            raise LookupError

    with pytest.raises(LookupError):
        fails()
    with pytest.raises(OSError, match=r"No such file|refused"):
        await asyncpg.connect(dsns[0])


async def test_a_database_in_use_is_dropped_all_the_same(postgres: PostgresServer) -> None:
    async with postgres.database() as dsn:
        connection = await asyncpg.connect(dsn)

    with pytest.raises((asyncpg.PostgresError, asyncpg.InterfaceError)):
        await connection.execute("SELECT 1")


@pytest.mark.parametrize("token", ["ETH", "WETH", "USDX", "ABC"])
async def test_the_bed_funds_an_account(bed: Bed, token: str) -> None:
    stranger = "0x" + "11" * 20

    await bed.fund(stranger, token, 12_345)

    assert await bed.balance(stranger, token) == 12_345


async def test_trader_and_signer_have_a_node_each_on_one_chain(bed: Bed) -> None:
    bed.proxy.lie("eth_blockNumber", lambda _params, _true: "0xdead")
    head = (await bed.anvil.head())["number"]

    assert await rpc(bed.rpc_url, "eth_blockNumber") == "0xdead"
    assert await rpc(bed.signer_rpc_url, "eth_blockNumber") == head


def test_the_accounts_are_those_of_anvil() -> None:
    assert dev_account(0).address == "0xf39fd6e51aad88f6f4ce6ab8827279cfffb92266"
    with pytest.raises(ValueError, match="0 to 9"):
        dev_account(10)


async def test_an_anvil_is_gone_when_its_block_fails() -> None:
    pids: list[int] = []

    async def fails() -> None:
        async with Anvil() as chain:
            pids.append(chain.pid)
            raise LookupError

    with pytest.raises(LookupError):
        await fails()
    with pytest.raises(ProcessLookupError):
        os.kill(pids[0], 0)


async def test_a_child_that_ignores_sigterm_is_killed(tmp_path: Path) -> None:
    script = "trap '' TERM; echo ready; while :; do sleep 0.05; done"
    async with Child(["sh", "-c", script], log=tmp_path / "log", grace_s=0.2) as child:
        pid = child.pid

    assert child.returncode is not None
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_a_world_survives_its_file(world: World, tmp_path: Path) -> None:
    world.save(tmp_path / "world.json")

    assert World.load(tmp_path / "world.json") == world
