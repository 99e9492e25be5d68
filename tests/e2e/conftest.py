"""Fixtures of the end-to-end tests: the stage on which each test opens its scenes, and one scene with Vault.

`vault_scene` and the signer in it, `vault_signer`, are shared by the tests that leave both of them working.
"""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.e2e.scene import Stage
from tests.e2e.vault_scene import VaultScene
from tests.testbed.parts import require
from tests.testbed.postgres import PostgresServer
from tests.testbed.processes import Child
from tests.testbed.uniswap import UniswapState


@pytest.fixture(scope="session")
def stage(uniswap: UniswapState, postgres: PostgresServer) -> Stage:
    return Stage(uniswap=uniswap, postgres=postgres)


@pytest_asyncio.fixture(scope="session", loop_scope="session", name="vault_scene")
async def _vault_scene(
    uniswap: UniswapState, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[VaultScene]:
    require("vault")
    # What a request waits for Vault must count soon, so that tests need not wait for long.
    limits = "recheck_after_ms = 500"
    folder = tmp_path_factory.mktemp("vault")
    async with VaultScene.open(uniswap, folder, limits=limits) as scene:
        yield scene


@pytest_asyncio.fixture(scope="session", loop_scope="session", name="vault_signer")
async def _vault_signer(vault_scene: VaultScene) -> AsyncIterator[Child]:
    async with vault_scene.serve() as child:
        yield child
