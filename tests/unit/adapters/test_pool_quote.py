"""The calls that ask for a price, against a general ABI encoder."""

from eth_abi.abi import encode
from hypothesis import given
from hypothesis.strategies import binary, builds, integers, lists

from signer.adapters.evm_rpc.pool_quote import (
    GET_AMOUNTS_OUT,
    QUOTE_PATH,
    QUOTE_SINGLE,
    calldata,
    packed_path,
)
from signer.domain.accounts import Address
from signer.domain.actions import Swap, SwapVenue
from signer.domain.transactions import UINT256_MAX

_ADDRESSES = builds(lambda raw: Address(f"0x{raw.hex()}"), binary(min_size=20, max_size=20))
_AMOUNTS = integers(0, UINT256_MAX)
_FEES = integers(0, 2**24 - 1)


@given(lists(_ADDRESSES, min_size=2, max_size=5), _AMOUNTS)
def test_a_v2_router_is_asked_for_the_amounts_along_the_path(path: list[Address], amount: int) -> None:
    asked = calldata(_swap(SwapVenue.UNISWAP_V2_ROUTER02, path, (), amount))

    assert asked == GET_AMOUNTS_OUT + encode(("uint256", "address[]"), (amount, path))


@given(_ADDRESSES, _ADDRESSES, _FEES, _AMOUNTS)
def test_a_v3_quoter_is_asked_for_one_pool(given: Address, wanted: Address, fee: int, amount: int) -> None:
    asked = calldata(_swap(SwapVenue.UNISWAP_SWAP_ROUTER02, [given, wanted], (fee,), amount))

    fields = (given, wanted, amount, fee, 0)
    assert asked == QUOTE_SINGLE + encode(("(address,address,uint256,uint24,uint160)",), (fields,))


@given(lists(_ADDRESSES, min_size=3, max_size=5), _FEES, _AMOUNTS)
def test_a_v3_quoter_is_asked_for_several_pools(path: list[Address], fee: int, amount: int) -> None:
    swap = _swap(SwapVenue.UNISWAP_SWAP_ROUTER02, path, (fee,) * (len(path) - 1), amount)

    assert calldata(swap) == QUOTE_PATH + encode(("bytes", "uint256"), (packed_path(swap), amount))


def _swap(venue: SwapVenue, path: list[Address], fees: tuple[int, ...], amount: int) -> Swap:
    return Swap(
        venue=venue,
        router=path[0],
        path=tuple(path),
        fees=fees,
        amount_in=amount,
        minimum_out=0,
        recipient=path[0],
        deadline=0,
    )
