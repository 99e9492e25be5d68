"""Fixtures of the end-to-end tests: the stage on which each test opens its scenes."""

import pytest

from tests.e2e.scene import Stage
from tests.testbed.postgres import PostgresServer
from tests.testbed.uniswap import UniswapState


@pytest.fixture(scope="session")
def stage(uniswap: UniswapState, postgres: PostgresServer) -> Stage:
    return Stage(uniswap=uniswap, postgres=postgres)
