"""A trader that is wholly compromised loses what the policy's figures add up to, and no more."""

import asyncio
import random
from collections.abc import AsyncIterator
from dataclasses import dataclass

import grpc.aio
import pytest
import pytest_asyncio

from protos.airlock.signer.v1 import signer_pb2 as pb
from signer.domain.accounts import AccountId
from signer.policy.load import load
from signer.policy.model import AccountPolicy
from tests.attack.harness import Arena
from tests.attack.market import BPS, Market, least, quote_v2, swap_claim
from tests.attack.robber import Robber
from tests.attack.sandwich import trade
from tests.attack.works import PER_TRADE, THIEF
from tests.fakes import calldata, wire
from tests.testbed import abi
from tests.testbed.accounts import dev_account
from tests.testbed.packages import Json
from tests.testbed.signer_program import PolicyFigures, policy_text
from tests.testbed.uniswap import ETHER, FOREVER, USDX_UNIT, UniswapState, World

pytestmark = pytest.mark.asyncio(loop_scope="session")

ROBBED, TRAPPED = 6, 7
REQUESTS, SEED = 300, 20_261_121
SYMBOLS = ("USDX", "WETH", "ABC")
PRICES = {
    "ETH": (3_000 * USDX_UNIT, ETHER),
    "WETH": (3_000 * USDX_UNIT, ETHER),
    "ABC": (2 * USDX_UNIT, ETHER),
}
POOL_USDX = 20_000_000 * USDX_UNIT  # in each of the listed pools
POOL_FEE_BPS, HOPS = 30, 2
DUST = 10**6
PATIENCE = 50
TRANSFER = "0xddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef"
APPROVAL = "0x8c5be1e5ebec7d5bd14f71427d1e84f3dd0314c0f7b2291e5b200ac8c7c3b925"


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def bounded(uniswap: UniswapState, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Arena]:
    """A signer of its own: here what is signed is broadcast where the signer sees it."""
    policies = {index: _small_caps(uniswap.world, index) for index in (ROBBED, TRAPPED)}
    async with Arena.open(tmp_path_factory.mktemp("bound") / "signer", uniswap, policies) as opened:
        yield opened


async def test_a_compromised_trader_loses_no_more_than_the_policy_says(bounded: Arena) -> None:
    market = await bounded.market(ROBBED)
    start, before = await _height(bounded), await _worth(bounded, market.own)
    robber = Robber(arena=bounded, index=ROBBED, rng=random.Random(SEED))
    await robber.rob(REQUESTS)
    lost = before - await _worth(bounded, market.own)

    assert 0 < lost <= _bound(_policy(bounded, ROBBED))
    assert await _receivers(bounded, market.own, start) <= _pools(bounded.world)
    assert await _approved(bounded, market, start) == set()
    assert min(robber.signed, robber.refused["PERMISSION_DENIED"]) > REQUESTS // 6
    assert set(robber.refused) & {"INTERNAL", "UNAVAILABLE", "FAILED_PRECONDITION", "UNKNOWN"} == set()
    assert {"ROLLING_CAP_EXCEEDED", "SLIPPAGE_TOO_HIGH", "RECIPIENT_NOT_ALLOWED"} <= set(robber.refused)


async def test_with_a_pool_of_his_own_between_listed_tokens_the_thief_gets_the_caps_and_no_more(
    bounded: Arena,
) -> None:
    """The signer prices a swap by the pool itself, so a thin one deceives it. Then only the caps hold."""
    policy = _policy(bounded, TRAPPED)
    market = await bounded.market(TRAPPED)
    before = await _worth(bounded, market.own)
    await _lay_a_trap(bounded)
    refusals = [await _into_the_trap(bounded, market) for _ in range(6)]
    lost = before - await _worth(bounded, market.own)

    cap = _token(policy, "WETH", bounded.world)
    assert refusals == [set()] * (cap // PER_TRADE["WETH"]) + [{"ROLLING_CAP_EXCEEDED"}] * 2
    assert _usdx("WETH", cap) * 99 // 100 < lost <= _everything(policy)


def _small_caps(world: World, index: int) -> str:
    """Caps that a few hundred requests reach."""
    figures = PolicyFigures(
        usdx_per_hour=20_000 * USDX_UNIT, usdx_per_day=20_000 * USDX_UNIT, fee_per_day_wei=3 * ETHER // 10
    )
    text = policy_text((f"eip155:{world.chain_id}:{dev_account(index).address}",), world, figures)
    for hour, day, cap in ((100, 200, 8), (100_000, 200_000, 12_000)):
        for name, written in (("hour", hour), ("day", day)):
            line = f'max_per_{name} = "{written * ETHER}"'
            assert line in text
            text = text.replace(line, f'max_per_{name} = "{cap * ETHER}"')
    return text


def _policy(arena: Arena, index: int) -> AccountPolicy:
    """As the signer reads it."""
    account = AccountId(f"eip155:{arena.world.chain_id}:{dev_account(index).address}")
    found = load(arena.files.policy.read_bytes()).account(account)
    assert found is not None
    return found


def _bound(policy: AccountPolicy) -> int:
    """What can be lost in a day while pools are honest, USDX: slippage, pool fees and own impact, and gas."""
    traded = _everything(policy) - _usdx("ETH", policy.fees.max_fee_per_day_wei)
    # An amount moves a pool's price by at most twice its share of the reserve.
    impact_bps = 2 * BPS * traded // POOL_USDX
    bps = policy.max_slippage_bps + HOPS * POOL_FEE_BPS + impact_bps
    return traded * bps // BPS + _usdx("ETH", policy.fees.max_fee_per_day_wei)


def _everything(policy: AccountPolicy) -> int:
    """What can be lost in a day whatever prices say, USDX."""
    tokens = sum(_usdx(token.symbol, token.max_per_day) for token in policy.tokens)
    return tokens + _usdx(
        "ETH",
        policy.fees.max_fee_per_day_wei + policy.native.max_per_day_wei * bool(policy.native.recipients),
    )


def _token(policy: AccountPolicy, symbol: str, world: World) -> int:
    return next(token.max_per_day for token in policy.tokens if token.address == world.token(symbol))


def _usdx(symbol: str, amount: int) -> int:
    """Value in base units of USDX at the prices that all pools began with."""
    price, unit = PRICES.get(symbol, (1, 1))
    return amount * price // unit


async def _worth(arena: Arena, owner: str) -> int:
    total = _usdx("ETH", await arena.chain.balance(owner))
    for symbol in SYMBOLS:
        held = await arena.chain.uint(arena.world.token(symbol), "balanceOf(address)", owner)
        total += _usdx(symbol, held)
    return total


def _pools(world: World) -> set[str]:
    return {world.v2_usdx_weth, world.v2_usdx_abc, world.v3_usdx_weth, world.v3_usdx_abc}


async def _height(arena: Arena) -> str:
    return str(await arena.chain.rpc("eth_blockNumber"))


async def _receivers(arena: Arena, owner: str, start: str) -> set[str]:
    """Whoever got any token of the account."""
    return {log.second for log in await _logs(arena, TRANSFER, owner, start)}


async def _approved(arena: Arena, market: Market, start: str) -> set["_Log"]:
    """Allowances that the policy does not allow, given at any time."""
    most = {market.world.token(symbol): amount for symbol, amount in PER_TRADE.items()}
    routers = {market.world.v2_router, market.world.swap_router}
    given = await _logs(arena, APPROVAL, market.own, start)
    assert given
    return {log for log in given if log.second not in routers or log.amount > most.get(log.token, 0)}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Log:
    """A Transfer or an Approval: of which token, to whom, how much."""

    token: str
    second: str
    amount: int


async def _logs(arena: Arena, event: str, owner: str, start: str) -> list[_Log]:
    """Every log of any token whose first party is `owner`."""
    topics: list[Json] = [event, "0x" + "00" * 12 + owner[2:]]
    found = await arena.chain.rpc("eth_getLogs", {"fromBlock": start, "toBlock": "latest", "topics": topics})
    assert isinstance(found, list)
    return [_log(one) for one in found]


def _log(found: Json) -> _Log:
    assert isinstance(found, dict)
    parties = found["topics"]
    assert isinstance(parties, list)
    return _Log(
        token=str(found["address"]).lower(),
        second="0x" + str(parties[2])[-40:].lower(),
        amount=int(str(found["data"]), 16),
    )


async def _lay_a_trap(arena: Arena) -> None:
    """A pair of WETH and ABC with almost nothing in it."""
    world = arena.world
    signature = "addLiquidity(address,address,uint256,uint256,uint256,uint256,address,uint256)"
    data = abi.calldata(signature, world.weth, world.abc, DUST, DUST, 0, 0, THIEF, FOREVER)
    await arena.chain.send(THIEF, world.v2_router, data)


async def _into_the_trap(arena: Arena, market: Market) -> set[str]:
    """Approve, swap for what the trap itself says, take the WETH out again; why it was refused, if it was."""
    approval = market.approve(arena.world.v2_router, PER_TRADE["WETH"], symbol="WETH")
    await _sent(arena, await arena.sign(approval))
    # The signer looks at a block for a moment, so it may see the trap as it was before.
    refused: set[str] = set()
    for _ in range(PATIENCE):
        refused = await _trapped(arena, market)
        if refused <= {"ROLLING_CAP_EXCEEDED"}:
            break
        await asyncio.sleep(0.1)
    return refused


async def _trapped(arena: Arena, market: Market) -> set[str]:
    world, amount = arena.world, PER_TRADE["WETH"]
    path = (world.weth, world.abc)
    minimum = least(await quote_v2(arena.chain, world, amount, path))
    data = calldata.swap_exact_tokens_for_tokens(amount, minimum, path, market.own, market.deadline)
    try:
        signed = await arena.sign(market.request(world.v2_router, data, swap_claim(*path, amount, minimum)))
    except grpc.aio.AioRpcError as error:
        return set(wire.reasons(error))
    await _sent(arena, signed)
    await trade(arena.chain, world, (world.abc, world.weth), 1_000 * DUST)
    return set()


async def _sent(arena: Arena, signed: pb.SignEvmTransactionResponse) -> None:
    # Whoever robbed this chain before may have left its base fee above what honest requests offer.
    await arena.chain.rpc("anvil_setNextBlockBaseFeePerGas", hex(10**9))
    sent = await arena.chain.rpc("eth_sendRawTransaction", "0x" + signed.raw_transaction.hex())
    assert (await arena.chain.receipt(str(sent)))["status"] == "0x1"
