"""ERC-20 calls: `approve` and nothing else. A `transfer` moves money for nothing, so it has no reading here.

Source: EIP-20.
"""

from collections.abc import Mapping

from signer.decode.evm.call import ReadCall, require_no_value
from signer.decode.evm.calldata import CalldataReader
from signer.domain.actions import Erc20Approve
from signer.domain.transactions import EvmPayload

APPROVE = bytes.fromhex("095ea7b3")
"""`approve(address spender, uint256 amount)`."""


def approve(payload: EvmPayload, call: CalldataReader) -> Erc20Approve:
    """Read an allowance."""
    require_no_value(payload)
    spender = call.address("spender")
    amount = call.uint("amount")
    call.end()
    return Erc20Approve(token=payload.to, spender=spender, amount=amount)


CALLS: Mapping[bytes, ReadCall] = {APPROVE: approve}
