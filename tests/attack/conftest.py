"""The arena that all robberies share: one signer process, one chain, and the twin for force."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.attack.harness import Arena
from tests.testbed.signer_program import PolicyFigures
from tests.testbed.uniswap import UniswapState

FEE_CAP_WEI = 50 * 10**15  # of the account that is flooded with replacements
SMALL_FEE_CAP_WEI = 25 * 10**15  # … and with cancellations


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def arena(uniswap: UniswapState, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Arena]:
    """Account 1 is robbed, 2 is for bursts, 3 for replays and replacements, 4 and 5 for floods."""
    policies = {
        1: PolicyFigures(),
        2: PolicyFigures(),
        3: PolicyFigures(),
        4: PolicyFigures(fee_per_day_wei=FEE_CAP_WEI),
        5: PolicyFigures(fee_per_day_wei=SMALL_FEE_CAP_WEI),
    }
    async with Arena.open(tmp_path_factory.mktemp("attack") / "signer", uniswap, policies) as opened:
        yield opened
