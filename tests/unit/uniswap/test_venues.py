"""What the venues ask and build, read back by a second encoder; and what they refuse."""

import pytest
from eth_abi.abi import encode
from hypothesis import given
from hypothesis import strategies as st

from tests.fakes.trader_clock import START, TraderClock
from tests.testbed import abi
from trader.adapters.evm_rpc.errors import CallRevertedError, NonsenseError
from trader.adapters.uniswap.erc20 import Erc20Approvals, allowance, balance_of, word
from trader.adapters.uniswap.minimum import minimum_out
from trader.adapters.uniswap.v2 import UniswapV2
from trader.adapters.uniswap.v3 import UniswapV3, packed_path
from trader.domain.ids import Address, ChainName, WalletId, erc20
from trader.domain.quotes import Quote
from trader.ports.chain import Block
from trader.ports.venue import Fees, NoRoute, QuoteRequest

CHAIN = ChainName("eip155:1")
OWNER = Address("0x" + "aa" * 20)
A, B, C = (Address("0x" + digits * 20) for digits in ("01", "02", "03"))
ROUTER, QUOTER = Address("0x" + "0d" * 20), Address("0x" + "0e" * 20)
FEES = Fees(max_fee_per_gas_wei=30, max_priority_fee_per_gas_wei=2)
REQUEST = QuoteRequest(
    wallet=WalletId(f"{CHAIN}:{OWNER}"),
    asset_in=erc20(CHAIN, A),
    asset_out=erc20(CHAIN, B),
    amount_in=1_000,
    max_slippage_bps=50,
)


class Reader:
    """Answers every call with the same bytes, or reverts."""

    def __init__(self, answer: bytes | None) -> None:
        self._answer = answer
        self.calls: list[tuple[Address, str, int | None]] = []

    async def head(self) -> Block:
        return Block(number=7, hash="0x7", timestamp_s=1, base_fee_per_gas_wei=1)

    async def call(self, to: Address, data: bytes, block_number: int | None) -> bytes:
        self.calls.append((to, "0x" + data.hex(), block_number))
        if self._answer is None:
            raise CallRevertedError("eth_call", 3, "execution reverted: K")
        return self._answer


def v2(reader: Reader) -> UniswapV2:
    return UniswapV2(reader, TraderClock.standing(), router=ROUTER)


def v3(reader: Reader, path: tuple[Address, ...] = (A, B), fees: tuple[int, ...] = (3000,)) -> UniswapV3:
    routes = {(REQUEST.asset_in, REQUEST.asset_out): (path, fees)}
    return UniswapV3(reader, TraderClock.standing(), router=ROUTER, quoter=QUOTER, routes=routes)


async def quoted(venue: UniswapV2 | UniswapV3) -> Quote:
    quote = await venue.quote(REQUEST)
    assert isinstance(quote, Quote)
    return quote


async def test_a_v2_quote_is_read_at_one_block_and_lives_ten_seconds() -> None:
    reader = Reader(encode(["uint256[]"], [[1_000, 1_993]]))
    quote = await quoted(v2(reader))

    asked = abi.calldata("getAmountsOut(uint256,address[])", 1_000, [A, B])
    assert reader.calls == [(ROUTER, asked, 7)]
    assert (quote.amount_out, quote.minimum_out, quote.spender) == (1_993, 1_984, ROUTER)
    assert (quote.made_at, quote.expires_at - quote.made_at, quote.block_number) == (START, 10_000, 7)


async def test_a_v2_swap_pays_the_wallet_itself() -> None:
    venue = v2(Reader(encode(["uint256[]"], [[1_000, 1_993]])))
    draft = venue.build(await quoted(venue), FEES, 99)

    wanted = abi.calldata(
        "swapExactTokensForTokens(uint256,uint256,address[],address,uint256)", 1_000, 1_984, [A, B], OWNER, 99
    )
    assert (draft.to, draft.value_wei, "0x" + draft.data.hex()) == (ROUTER, 0, wanted)
    assert (draft.max_fee_per_gas_wei, draft.max_priority_fee_per_gas_wei) == (30, 2)


async def test_a_v3_swap_travels_inside_a_deadline_and_pays_the_wallet_itself() -> None:
    reader = Reader(encode(["uint256", "uint160", "uint32", "uint256"], [1_990, 1, 1, 1]))
    venue = v3(reader)
    draft = venue.build(await quoted(venue), FEES, 99)

    single = "(address,address,uint256,uint24,uint160)"
    asked = abi.calldata(f"quoteExactInputSingle({single})", (A, B, 1_000, 3000, 0))
    swap = abi.calldata(
        "exactInputSingle((address,address,uint24,address,uint256,uint256,uint160))",
        (A, B, 3000, OWNER, 1_000, 1_981, 0),
    )
    assert reader.calls == [(QUOTER, asked, 7)]
    wanted = abi.calldata("multicall(uint256,bytes[])", 99, [bytes.fromhex(swap[2:])])
    assert "0x" + draft.data.hex() == wanted


async def test_a_v3_route_over_two_pools_uses_the_packed_path() -> None:
    reader = Reader(encode(["uint256", "uint160[]", "uint32[]", "uint256"], [1_990, [1, 1], [1, 1], 1]))
    venue = v3(reader, (A, C, B), (500, 3000))
    draft = venue.build(await quoted(venue), FEES, 99)

    path = bytes.fromhex(A[2:] + "0001f4" + C[2:] + "000bb8" + B[2:])
    assert reader.calls[0][1] == abi.calldata("quoteExactInput(bytes,uint256)", path, 1_000)
    swap = abi.calldata("exactInput((bytes,address,uint256,uint256))", (path, OWNER, 1_000, 1_981))
    wanted = abi.calldata("multicall(uint256,bytes[])", 99, [bytes.fromhex(swap[2:])])
    assert "0x" + draft.data.hex() == wanted


@pytest.mark.parametrize("venue", [v2, v3])
async def test_a_revert_is_no_route_and_nonsense_is_an_error(venue: type[UniswapV2]) -> None:
    reverted = await venue(Reader(None)).quote(REQUEST)  # type: ignore[call-arg]  # the two builders above

    assert isinstance(reverted, NoRoute)
    with pytest.raises(NonsenseError):
        await venue(Reader(b"\x01")).quote(REQUEST)  # type: ignore[call-arg]  # the two builders above


async def test_nothing_for_something_is_no_route() -> None:
    assert isinstance(await v2(Reader(encode(["uint256[]"], [[1_000, 0]]))).quote(REQUEST), NoRoute)


async def test_a_pair_without_a_configured_pool_is_no_route() -> None:
    venue = UniswapV3(Reader(b""), TraderClock.standing(), router=ROUTER, quoter=QUOTER, routes={})

    assert isinstance(await venue.quote(REQUEST), NoRoute)


def test_a_path_needs_one_fee_fewer_than_tokens() -> None:
    with pytest.raises(ValueError, match="needs 1 fees"):
        packed_path((A, B), ())


@given(st.integers(0, 2**256 - 1), st.integers(0, 9_999))
def test_the_minimum_is_never_below_what_the_signer_demands(amount: int, bps: int) -> None:
    least = minimum_out(amount, bps)

    assert least * 10_000 >= amount * (10_000 - bps)
    assert (least - 1) * 10_000 < amount * (10_000 - bps)
    assert least <= amount


@pytest.mark.parametrize("bps", [-1, 10_000])
def test_a_slippage_beyond_everything_is_refused(bps: int) -> None:
    with pytest.raises(ValueError, match="allowed"):
        minimum_out(1, bps)


def test_an_approval_is_exact_and_never_unlimited() -> None:
    draft = Erc20Approvals().build(A, ROUTER, 5, FEES, 0)

    assert (draft.to, "0x" + draft.data.hex()) == (A, abi.calldata("approve(address,uint256)", ROUTER, 5))
    with pytest.raises(ValueError, match="not exact"):
        Erc20Approvals().build(A, ROUTER, 2**256 - 1, FEES, 0)


def test_reads_of_a_token_are_encoded_as_its_standard_says() -> None:
    assert "0x" + balance_of(OWNER).hex() == abi.calldata("balanceOf(address)", OWNER)
    assert "0x" + allowance(OWNER, ROUTER).hex() == abi.calldata("allowance(address,address)", OWNER, ROUTER)
    with pytest.raises(ValueError, match="32 are allowed"):
        word(b"")
