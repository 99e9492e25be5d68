"""The control: without what makes them robberies, the same requests are signed and do what they say."""

import pytest

from protos.airlock.signer.v1 import signer_pb2 as pb
from tests.attack.harness import Arena
from tests.attack.market import AMOUNT_IN, Market
from tests.fakes import calldata
from tests.testbed.uniswap import ETHER

pytestmark = pytest.mark.asyncio(loop_scope="session")

HONEST = 3


def _honest(market: Market) -> dict[str, pb.SignEvmTransactionRequest]:
    return {
        "V2 swap": market.swap_v2(),
        "V3 swap": market.swap_v3(calldata.multicall(market.deadline, [market.single()])),
        "approval": market.approve(market.world.v2_router, AMOUNT_IN),
        "deposit": market.deposit(2 * ETHER),
        "withdrawal": market.withdraw(2 * ETHER),
    }


async def test_honest_requests_at_the_edge_of_every_limit_are_signed(arena: Arena) -> None:
    requests = _honest(await arena.market(HONEST))
    answers = {name: await arena.sign(request) for name, request in requests.items()}

    for name, answer in answers.items():
        assert requests[name].transaction.data in answer.raw_transaction


async def test_honest_swaps_pay_the_account(arena: Arena) -> None:
    market = await arena.market(HONEST)
    requests = _honest(market)

    for name, symbol, expected in (("V2 swap", "ABC", market.abc_out), ("V3 swap", "WETH", market.weth_out)):
        async with arena.heist() as heist:
            before = await heist.balance(market.own, symbol)
            await heist.force(requests[name])
            assert await heist.balance(market.own, symbol) - before == expected
