"""Calldata that reads as one thing and does another. What the chain executes anyway, the signer refuses."""

import pytest
from eth_abi.abi import encode

from protos.airlock.signer.v1 import signer_pb2 as pb
from tests.attack.harness import Arena
from tests.attack.heist import Heist
from tests.attack.market import AMOUNT_IN, Market, call, swap_claim
from tests.attack.robbery import Robbery, shows_both_halves, thief_gains
from tests.attack.works import THIEF
from tests.fakes import calldata
from tests.testbed.uniswap import ETHER, USDX_UNIT, V3_FEE

pytestmark = pytest.mark.asyncio(loop_scope="session")

MARKER_ROUTER = "0x" + "00" * 19 + "02"
SOME_ABC, SOME_WETH = 900 * ETHER, ETHER // 2
_V2 = bytes.fromhex("38ed1739")
_EXACT_INPUT = bytes.fromhex("b858183f")
_MULTICALL_WITHOUT_DEADLINE = bytes.fromhex("ac9650d8")


def _two_calls(market: Market, second: bytes) -> pb.SignEvmTransactionRequest:
    """A swap into the router, and what takes it out again."""
    return market.swap_v3(calldata.multicall(market.deadline, [market.single(MARKER_ROUTER), second]))


def _path_with_a_trailing_byte(market: Market) -> pb.SignEvmTransactionRequest:
    packed = calldata.packed_path((market.world.usdx, market.world.weth), (V3_FEE,)) + b"\x00"
    inner = calldata.exact_input(packed, THIEF, AMOUNT_IN, market.weth_minimum)
    return market.swap_v3(calldata.multicall(market.deadline, [inner]))


def _struct_behind_the_struct(market: Market) -> pb.SignEvmTransactionRequest:
    """Where a compiler puts the parameters stand honest ones; the offset points to others behind them."""
    packed = calldata.packed_path((market.world.usdx, market.world.weth), (V3_FEE,))

    def params(recipient: str) -> bytes:
        types = ["bytes", "address", "uint256", "uint256"]
        return encode(types, [packed, recipient, AMOUNT_IN, market.weth_minimum])

    honest = params(market.own)
    inner = _EXACT_INPUT + encode(["uint256"], [32 + len(honest)]) + honest + params(THIEF)
    return market.swap_v3(calldata.multicall(market.deadline, [inner]))


def _path_behind_the_path(market: Market) -> pb.SignEvmTransactionRequest:
    """The same with Router02: the path at its usual place is honest, the one that counts ends in junk."""
    world = market.world

    def path(*tokens: str) -> bytes:
        return encode(["uint256", *["address"] * len(tokens)], [len(tokens), *tokens])

    honest = path(world.usdx, world.abc)
    head = encode(
        ["uint256", "uint256", "uint256", "address", "uint256"],
        [AMOUNT_IN, 0, 5 * 32 + len(honest), market.own, market.deadline],
    )
    data = _V2 + head + honest + path(world.usdx, market.works.junk)
    return market.request(world.v2_router, data, swap_claim(world.usdx, world.abc, AMOUNT_IN, 0))


def _dirty_address(market: Market) -> pb.SignEvmTransactionRequest:
    """Bits above the 160 of an address: this compiler's routers ignore them."""
    request = market.swap_v2(recipient=THIEF)
    data = bytearray(request.transaction.data)
    data[4 + 3 * 32] = 0xFF
    request.transaction.data = bytes(data)
    return request


async def _thief_empties_his_pool(heist: Heist, market: Market) -> None:
    signature = "swapExactTokensForTokens(uint256,uint256,address[],address,uint256)"
    path = [market.works.junk, market.world.usdx]
    await heist.thief_does(
        market.world.v2_router, signature, 10**6 * ETHER, 0, path, THIEF, market.deadline + 10**6
    )


ROBBERIES = (
    Robbery(
        name="a second call that sweeps the proceeds",
        ask=lambda market: _two_calls(
            market, call("sweepToken(address,uint256,address)", market.world.weth, 0, THIEF)
        ),
        reasons={"NOT_UNDERSTOOD"},
        harm=thief_gains("WETH", SOME_WETH),
    ),
    Robbery(
        name="a second call that unwraps the proceeds to the thief",
        ask=lambda market: _two_calls(market, call("unwrapWETH9(uint256,address)", 0, THIEF)),
        reasons={"NOT_UNDERSTOOD"},
        harm=thief_gains("ETH", SOME_WETH),
    ),
    Robbery(
        name="a call that pulls a token into the router",
        ask=lambda market: market.swap_v3(
            calldata.multicall(
                market.deadline,
                [
                    call("pull(address,uint256)", market.world.usdx, AMOUNT_IN),
                    call("sweepToken(address,uint256,address)", market.world.usdx, 0, THIEF),
                ],
            )
        ),
        reasons={"NOT_UNDERSTOOD"},
        harm=thief_gains("USDX", AMOUNT_IN),
    ),
    Robbery(
        name="a multicall within the multicall",
        ask=lambda market: market.swap_v3(
            calldata.multicall(
                market.deadline,
                [_MULTICALL_WITHOUT_DEADLINE + encode(["bytes[]"], [[market.single(THIEF)]])],
            )
        ),
        reasons={"NOT_UNDERSTOOD"},
        harm=thief_gains("WETH", SOME_WETH),
    ),
    Robbery(
        name="bytes after the last argument",
        ask=lambda market: market.swap_v2(recipient=THIEF, tail=encode(["address"], [market.own])),
        reasons={"NOT_UNDERSTOOD"},
        harm=thief_gains("ABC", SOME_ABC),
    ),
    Robbery(
        name="a single byte after the last argument",
        ask=lambda market: market.swap_v2(recipient=THIEF, tail=b"\x00"),
        reasons={"NOT_UNDERSTOOD"},
        harm=thief_gains("ABC", SOME_ABC),
    ),
    Robbery(
        name="a V3 path with a byte too many",
        ask=_path_with_a_trailing_byte,
        reasons={"NOT_UNDERSTOOD"},
        harm=thief_gains("WETH", SOME_WETH),
    ),
    Robbery(
        name="an offset that hides the real recipient",
        ask=_struct_behind_the_struct,
        reasons={"NOT_UNDERSTOOD"},
        harm=thief_gains("WETH", SOME_WETH),
    ),
    Robbery(
        name="an offset that hides the real path",
        ask=_path_behind_the_path,
        reasons={"NOT_UNDERSTOOD"},
        harm=thief_gains("USDX", 1_990 * USDX_UNIT, _thief_empties_his_pool),
    ),
    Robbery(
        name="an address with dirty upper bits",
        ask=_dirty_address,
        reasons={"NOT_UNDERSTOOD"},
        harm=thief_gains("ABC", SOME_ABC),
    ),
)


@pytest.mark.parametrize("robbery", ROBBERIES, ids=str)
async def test_ambiguous_bytes_are_refused_and_would_rob(arena: Arena, robbery: Robbery) -> None:
    await shows_both_halves(arena, robbery)
