"""Uniswap V2 Router02: `swapExactTokensForTokens` and nothing else.

Exact output, native coin and fee-on-transfer variants have no reading here.
Source: v2-periphery, IUniswapV2Router01.
"""

from collections.abc import Mapping

from signer.decode.evm.call import ReadCall, require_no_value
from signer.decode.evm.calldata import CalldataReader
from signer.domain.actions import Swap, SwapVenue
from signer.domain.transactions import EvmPayload

SWAP_EXACT_TOKENS_FOR_TOKENS = bytes.fromhex("38ed1739")
"""`swapExactTokensForTokens(uint256 amountIn, uint256 amountOutMin, address[] path, address to,
uint256 deadline)`."""

MIN_TOKENS = 2
MAX_TOKENS = 4

_HEAD = 5 * 32


def swap_exact_tokens_for_tokens(payload: EvmPayload, call: CalldataReader) -> Swap:
    """Read a swap of 2 to 4 tokens."""
    require_no_value(payload)
    amount_in = call.uint("amountIn")
    minimum_out = call.uint("amountOutMin")
    call.expect(_HEAD, "offset of path")
    recipient = call.address("to")
    deadline = call.uint("deadline")
    tokens = call.uint("length of path")
    if not MIN_TOKENS <= tokens <= MAX_TOKENS:
        call.refuse("length of path", f"{MIN_TOKENS} to {MAX_TOKENS} tokens", f"{tokens}")
    path = tuple([call.address("path") for _ in range(tokens)])
    call.end()
    return Swap(
        venue=SwapVenue.UNISWAP_V2_ROUTER02,
        router=payload.to,
        path=path,
        fees=(),
        amount_in=amount_in,
        minimum_out=minimum_out,
        recipient=recipient,
        deadline=deadline,
    )


CALLS: Mapping[bytes, ReadCall] = {SWAP_EXACT_TOKENS_FOR_TOKENS: swap_exact_tokens_for_tokens}
