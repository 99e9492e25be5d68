"""The signer's view of a real chain: heads, receipts, counts, and quotes that are what a swap then gives."""

import time
from collections.abc import AsyncIterator

import pytest

from signer.adapters.evm_rpc.chain_view import EvmChainView
from signer.adapters.evm_rpc.pool_quote import GET_AMOUNTS_OUT, QUOTE_PATH, QUOTE_SINGLE, PoolQuote
from signer.adapters.json_rpc.transport import JsonRpc
from signer.adapters.system_clock import SystemClock
from signer.decode.evm.keccak import keccak256
from signer.domain.accounts import Address
from signer.domain.actions import Swap, SwapVenue
from tests.testbed.accounts import dev_account
from tests.testbed.anvil import Anvil
from tests.testbed.uniswap import USDX_UNIT, World

WHO = Address(dev_account(1).address)
AMOUNT = 1_000 * USDX_UNIT


@pytest.fixture
async def rpc(anvil: Anvil) -> AsyncIterator[JsonRpc]:
    async with JsonRpc(anvil.url, timeout_ms=5_000) as opened:
        yield opened


@pytest.fixture
def chain(rpc: JsonRpc, anvil: Anvil) -> EvmChainView:
    return EvmChainView(rpc, chain_id=anvil.chain_id, head_max_age_ms=0, clock=SystemClock())


def swap(world: World, venue: SwapVenue, path: tuple[str, ...], fees: tuple[int, ...]) -> Swap:
    v2 = venue is SwapVenue.UNISWAP_V2_ROUTER02
    return Swap(
        venue=venue,
        router=Address(world.v2_router if v2 else world.swap_router),
        path=tuple(Address(token) for token in path),
        fees=fees,
        amount_in=AMOUNT,
        minimum_out=1,
        recipient=WHO,
        deadline=int(time.time()) + 60,
    )


@pytest.mark.parametrize(
    ("selector", "signature"),
    [
        (GET_AMOUNTS_OUT, "getAmountsOut(uint256,address[])"),
        (QUOTE_SINGLE, "quoteExactInputSingle((address,address,uint256,uint24,uint160))"),
        (QUOTE_PATH, "quoteExactInput(bytes,uint256)"),
    ],
)
def test_selectors_are_those_of_the_contracts(selector: bytes, signature: str) -> None:
    assert selector == keccak256(signature.encode())[:4]


async def test_heads_counts_and_receipts_of_a_real_chain(anvil: Anvil, chain: EvmChainView) -> None:
    before = await chain.head()
    receipt = await anvil.send(WHO, dev_account(2).address, value=1)
    await anvil.mine(3)
    head, finalized = await chain.head(), await chain.finalized()

    found = await chain.receipt(str(receipt["transactionHash"]))
    assert found is not None
    assert (found.block_number, found.reverted) == (before.number + 1, False)
    assert found.fee_paid_wei == 21_000 * int(str(receipt["effectiveGasPrice"]), 16)
    assert await chain.block_hash(found.block_number) == found.block_hash
    assert await chain.block_hash(head.number + 100) is None
    assert await chain.transaction_count(WHO, before.number) == 0
    assert await chain.transaction_count(WHO, head.number) == 1
    assert finalized.number < head.number
    assert await chain.receipt("0x" + "ab" * 32) is None


async def test_a_v2_quote_is_what_the_router_says(
    anvil: Anvil, world: World, rpc: JsonRpc, chain: EvmChainView
) -> None:
    trade = swap(world, SwapVenue.UNISWAP_V2_ROUTER02, (world.usdx, world.abc), ())
    (amounts,) = await anvil.call(
        world.v2_router,
        "getAmountsOut(uint256,address[])",
        AMOUNT,
        [world.usdx, world.abc],
        returns="(uint256[])",
    )

    quote = await PoolQuote(rpc).quote(trade, trade.router, await chain.head())

    assert isinstance(amounts, tuple | list)
    assert quote is not None
    assert quote.amount_out == amounts[-1] > 0


@pytest.mark.parametrize("hops", [1, 2])
async def test_a_v3_quote_is_what_the_quoter_says(
    world: World, rpc: JsonRpc, chain: EvmChainView, hops: int
) -> None:
    path = (world.weth, world.usdx, world.abc)[-hops - 1 :]
    trade = swap(world, SwapVenue.UNISWAP_SWAP_ROUTER02, path, (3_000,) * hops)

    quote = await PoolQuote(rpc).quote(trade, Address(world.quoter), await chain.head())

    assert quote is not None
    assert quote.amount_out > 0


async def test_a_pair_without_a_pool_has_no_price(world: World, rpc: JsonRpc, chain: EvmChainView) -> None:
    head = await chain.head()
    v2 = swap(world, SwapVenue.UNISWAP_V2_ROUTER02, (world.usdx, "0x" + "99" * 20), ())
    v3 = swap(world, SwapVenue.UNISWAP_SWAP_ROUTER02, (world.usdx, world.abc), (500,))

    assert await PoolQuote(rpc).quote(v2, v2.router, head) is None
    assert await PoolQuote(rpc).quote(v3, Address(world.quoter), head) is None
    assert await PoolQuote(rpc).quote(v3, Address("0x" + "98" * 20), head) is None
