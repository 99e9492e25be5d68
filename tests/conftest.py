"""Fixtures of the test bed, and the counts by folder; refuses to start what no test asked for.

`anvil` is a bare chain of its own for each test. Asking for `world` too puts Uniswap on it; `rpc_proxy`
stands in front of it. `bed` is everything at once.

`vault_server` is one Vault for all tests, each of which uses names of its own on it; `airlock_vault` is the
same with Airlock's mounts and keys; `own_vault_server` is for the tests that seal, stall or kill it.
"""

import gc
import signal
from collections.abc import AsyncIterator, Generator, Iterator

import pytest
import pytest_asyncio
from hypothesis import settings

from tests.testbed import child_logs
from tests.testbed.anvil import Anvil
from tests.testbed.bed import Bed, uniswap_state
from tests.testbed.counts import summary_lines
from tests.testbed.figures import figure_lines
from tests.testbed.figures import figures as figures  # noqa: PLC0414 - a fixture for every test
from tests.testbed.parts import require
from tests.testbed.postgres import PostgresServer, postgres_server
from tests.testbed.rpc_proxy import RpcProxy
from tests.testbed.uniswap import UniswapState, World
from tests.testbed.vault import VaultServer
from tests.testbed.vault_ground import lay_ground

# Whoever runs the tests in the background hands an ignored SIGINT down, also to the programs under test.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# A slow machine is not a failure: no test here judges by the clock.
settings.register_profile("airlock", deadline=None)
settings.load_profile("airlock")


@pytest_asyncio.fixture(scope="session", loop_scope="session", name="uniswap")
async def _uniswap() -> UniswapState:
    require("anvil")
    return await uniswap_state()


@pytest.fixture(scope="session", name="postgres")
def _postgres() -> Iterator[PostgresServer]:
    require("postgres")
    with postgres_server(in_memory=True) as server:
        yield server


@pytest_asyncio.fixture
async def anvil() -> AsyncIterator[Anvil]:
    require("anvil")
    async with Anvil() as chain:
        yield chain


@pytest_asyncio.fixture
async def world(anvil: Anvil, uniswap: UniswapState) -> World:
    await anvil.load_state(uniswap.dump)
    return uniswap.world


@pytest_asyncio.fixture
async def rpc_proxy(anvil: Anvil) -> AsyncIterator[RpcProxy]:
    async with RpcProxy(anvil.url) as proxy:
        yield proxy


@pytest_asyncio.fixture
async def postgres_dsn(postgres: PostgresServer) -> AsyncIterator[str]:
    async with postgres.database() as dsn:
        yield dsn


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def vault_server() -> AsyncIterator[VaultServer]:
    require("vault")
    async with VaultServer() as server:
        yield server


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def airlock_vault(vault_server: VaultServer) -> VaultServer:
    await lay_ground(vault_server)
    return vault_server


@pytest_asyncio.fixture
async def own_vault_server() -> AsyncIterator[VaultServer]:
    require("vault")
    async with VaultServer() as server:
        yield server


@pytest_asyncio.fixture
async def bed(uniswap: UniswapState, postgres: PostgresServer) -> AsyncIterator[Bed]:
    async with Bed.start(state=uniswap, postgres=postgres) as started:
        yield started


def pytest_collection_finish() -> None:
    """What was collected stays to the end: nothing looks for garbage in it."""
    gc.freeze()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    call: pytest.CallInfo[None],
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if report.failed:
        report.sections += child_logs.sections(call.start)
    return report


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    for line in [*figure_lines(terminalreporter), *summary_lines(terminalreporter)]:
        terminalreporter.write_line(line)
