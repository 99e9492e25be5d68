"""web3.py as a second opinion: it reads the same chain as our node, and our calldata as we meant it."""

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from eth_typing import HexStr
from web3 import AsyncHTTPProvider, AsyncWeb3
from web3.contract import AsyncContract

from tests.fakes.trader_clock import TraderClock
from tests.testbed.accounts import dev_account
from tests.testbed.anvil import Anvil
from tests.testbed.packages import artifact
from tests.testbed.uniswap import ETHER, USDX_UNIT, V3_FEE, World
from trader.adapters.evm_rpc.node import EvmNode, evm_node
from trader.adapters.uniswap.v2 import UniswapV2
from trader.adapters.uniswap.v3 import UniswapV3
from trader.domain.ids import Address, ChainName, address_of, erc20, parse_wallet
from trader.domain.quotes import Quote, TransactionDraft
from trader.ports.venue import Fees, QuoteRequest, Venue

OWN = dev_account(1).address
WALLET = parse_wallet(f"eip155:31337:{OWN}")
CHAIN = ChainName("eip155:31337")
FEES = Fees(max_fee_per_gas_wei=10**10, max_priority_fee_per_gas_wei=10**9)


@asynccontextmanager
async def both(anvil: Anvil) -> AsyncIterator[tuple[EvmNode, AsyncWeb3[AsyncHTTPProvider]]]:
    provider = AsyncHTTPProvider(anvil.url, exception_retry_configuration=None)
    web3 = AsyncWeb3(provider)
    try:
        async with evm_node(anvil.url, TraderClock.standing()) as node:
            yield node, web3
    finally:
        await provider.disconnect()


def contract(web3: AsyncWeb3[AsyncHTTPProvider], name: str, address: str) -> AsyncContract:
    return web3.eth.contract(address=web3.to_checksum_address(address), abi=artifact(name).abi)


async def built(venue: Venue, world: World) -> tuple[Quote, TransactionDraft]:
    request = QuoteRequest(
        wallet=WALLET,
        asset_in=erc20(CHAIN, Address(world.usdx)),
        asset_out=erc20(CHAIN, Address(world.abc)),
        amount_in=1_000 * USDX_UNIT,
        max_slippage_bps=50,
    )
    quote = await venue.quote(request)
    assert isinstance(quote, Quote)
    return quote, venue.build(quote, FEES, int(time.time()) + 60)


async def test_both_see_the_same_chain(anvil: Anvil, world: World) -> None:
    async with both(anvil) as (node, web3):
        head, block = await node.head(), await web3.eth.get_block("latest")
        token = contract(web3, "TestToken", world.usdx)

        assert (head.number, head.hash) == (block["number"], block["hash"].to_0x_hex())
        checksummed = web3.to_checksum_address(OWN)
        assert await node.native_balance(Address(OWN), head.number) == await web3.eth.get_balance(checksummed)
        provider = dev_account(0).address
        assert (
            await node.token_balance(Address(world.usdx), Address(provider), head.number)
            == await token.functions.balanceOf(web3.to_checksum_address(provider)).call()
        )


async def test_a_v2_swap_reads_as_we_meant_it(anvil: Anvil, world: World) -> None:
    async with both(anvil) as (node, web3):
        venue = UniswapV2(node, TraderClock.standing(), router=Address(world.v2_router))
        quote, draft = await built(venue, world)
        router = contract(web3, "UniswapV2Router02", world.v2_router)
        function, arguments = router.decode_function_input(HexStr("0x" + draft.data.hex()))

        assert function.fn_name == "swapExactTokensForTokens"
        assert arguments["amountIn"] == 1_000 * USDX_UNIT
        assert arguments["amountOutMin"] == quote.minimum_out
        assert [token.lower() for token in arguments["path"]] == [world.usdx, world.abc]
        assert arguments["to"].lower() == address_of(WALLET)
        assert arguments["deadline"] == draft.deadline_s


async def test_a_v3_swap_reads_as_we_meant_it(anvil: Anvil, world: World) -> None:
    async with both(anvil) as (node, web3):
        route = (Address(world.usdx), Address(world.abc))
        venue = UniswapV3(
            node,
            TraderClock.standing(),
            router=Address(world.swap_router),
            quoter=Address(world.quoter),
            routes={(erc20(CHAIN, route[0]), erc20(CHAIN, route[1])): (route, (V3_FEE,))},
        )
        quote, draft = await built(venue, world)
        router = contract(web3, "SwapRouter02", world.swap_router)
        outer, wrapped = router.decode_function_input(HexStr("0x" + draft.data.hex()))
        inner, arguments = router.decode_function_input(HexStr("0x" + wrapped["data"][0].hex()))

        assert (outer.fn_name, inner.fn_name) == ("multicall", "exactInputSingle")
        assert wrapped["deadline"] == draft.deadline_s
        assert arguments["params"]["recipient"].lower() == address_of(WALLET)
        assert arguments["params"]["amountOutMinimum"] == quote.minimum_out
        assert 490 * ETHER < quote.amount_out < 500 * ETHER
