"""Uniswap SwapRouter02: `multicall(deadline, [swap])` around exactly one exact-input V3 swap, nothing else.

SwapRouter02's own swaps carry no deadline, so a bare one has no reading here: it could be mined weeks later.

Values that are not what they seem (swap-router-contracts, `Constants.sol`):
- amountIn 0 (CONTRACT_BALANCE) means "whatever the router holds", so it is refused here;
- recipient 0x…01 (MSG_SENDER) becomes the caller and 0x…02 (ADDRESS_THIS) the router itself, from where
  anybody may sweep the tokens. The decoder keeps the literal address; the policy wants the account's own.

Source: swap-router-contracts, IV3SwapRouter and IMulticallExtended; v3-periphery, `Path.sol`.
"""

from collections.abc import Callable, Mapping

from signer.decode.evm.call import ReadCall, require_no_value
from signer.decode.evm.calldata import CalldataReader
from signer.domain.accounts import Address
from signer.domain.actions import Swap, SwapVenue
from signer.domain.transactions import EvmPayload

MULTICALL = bytes.fromhex("5ae401dc")
"""`multicall(uint256 deadline, bytes[] data)`."""
EXACT_INPUT_SINGLE = bytes.fromhex("04e45aaf")
"""`exactInputSingle((address tokenIn, address tokenOut, uint24 fee, address recipient, uint256 amountIn,
uint256 amountOutMinimum, uint160 sqrtPriceLimitX96))`."""
EXACT_INPUT = bytes.fromhex("b858183f")
"""`exactInput((bytes path, address recipient, uint256 amountIn, uint256 amountOutMinimum))`."""

MIN_HOPS = 1
MAX_HOPS = 4

_FEE_BITS = 24
_ADDRESS_BYTES = 20
_FEE_BYTES = 3
_HOP_BYTES = _FEE_BYTES + _ADDRESS_BYTES
_PATH_BYTES = tuple(_ADDRESS_BYTES + hops * _HOP_BYTES for hops in range(MIN_HOPS, MAX_HOPS + 1))


def multicall(payload: EvmPayload, call: CalldataReader) -> Swap:
    """Read the deadline and the one swap under it."""
    require_no_value(payload)
    deadline = call.uint("deadline")
    call.expect(0x40, "offset of calls")
    call.expect(1, "number of calls")
    call.expect(0x20, "offset of calls[0]")
    inner = call.call("calls[0]")
    call.end()
    read = _SWAPS.get(inner.selector)
    if read is None:
        inner.refuse_selector(_SWAPS)
    return read(payload.to, deadline, inner)


CALLS: Mapping[bytes, ReadCall] = {MULTICALL: multicall}


def _exact_input_single(router: Address, deadline: int, call: CalldataReader) -> Swap:
    token_in = call.address("tokenIn")
    token_out = call.address("tokenOut")
    fee = call.uint("fee", _FEE_BITS)
    recipient = call.address("recipient")
    amount_in = _amount_in(call)
    minimum_out = call.uint("amountOutMinimum")
    # A price limit would stop the swap half-way: not the exact input that the policy charges.
    call.expect(0, "sqrtPriceLimitX96")
    call.end()
    return Swap(
        venue=SwapVenue.UNISWAP_SWAP_ROUTER02,
        router=router,
        path=(token_in, token_out),
        fees=(fee,),
        amount_in=amount_in,
        minimum_out=minimum_out,
        recipient=recipient,
        deadline=deadline,
    )


def _exact_input(router: Address, deadline: int, call: CalldataReader) -> Swap:
    call.expect(0x20, "offset of params")
    call.expect(0x80, "offset of path")
    recipient = call.address("recipient")
    amount_in = _amount_in(call)
    minimum_out = call.uint("amountOutMinimum")
    path, fees = _path(call)
    call.end()
    return Swap(
        venue=SwapVenue.UNISWAP_SWAP_ROUTER02,
        router=router,
        path=path,
        fees=fees,
        amount_in=amount_in,
        minimum_out=minimum_out,
        recipient=recipient,
        deadline=deadline,
    )


_SWAPS: Mapping[bytes, Callable[[Address, int, CalldataReader], Swap]] = {
    EXACT_INPUT_SINGLE: _exact_input_single,
    EXACT_INPUT: _exact_input,
}


def _amount_in(call: CalldataReader) -> int:
    amount = call.uint("amountIn")
    if amount == 0:
        call.refuse("amountIn", "more than 0", "0, which means the router's own balance")
    return amount


def _path(call: CalldataReader) -> tuple[tuple[Address, ...], tuple[int, ...]]:
    """Read `token (fee token)*`, packed without padding between."""
    packed = call.byte_string("path", _PATH_BYTES)
    hops = len(packed) // _HOP_BYTES
    starts = [hop * _HOP_BYTES for hop in range(hops + 1)]
    tokens = tuple([Address(f"0x{packed[at : at + _ADDRESS_BYTES].hex()}") for at in starts])
    fees = tuple([int.from_bytes(packed[at - _FEE_BYTES : at], "big") for at in starts[1:]])
    return tokens, fees
