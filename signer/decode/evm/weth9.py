"""WETH9 calls: `deposit`, `withdraw` and, as it is a token, `approve`.

The fallback that deposits whatever arrives has no reading here.
"""

from collections.abc import Mapping

from signer.decode.evm import erc20
from signer.decode.evm.call import ReadCall, require_no_value
from signer.decode.evm.calldata import CalldataReader
from signer.domain.actions import WethDeposit, WethWithdraw
from signer.domain.transactions import EvmPayload

DEPOSIT = bytes.fromhex("d0e30db0")
"""`deposit()`, payable."""
WITHDRAW = bytes.fromhex("2e1a7d4d")
"""`withdraw(uint256 amount)`."""


def deposit(payload: EvmPayload, call: CalldataReader) -> WethDeposit:
    """Read a wrapping; the amount is the transaction's value."""
    call.end()
    return WethDeposit(token=payload.to, amount_wei=payload.value_wei)


def withdraw(payload: EvmPayload, call: CalldataReader) -> WethWithdraw:
    """Read an unwrapping."""
    require_no_value(payload)
    amount = call.uint("amount")
    call.end()
    return WethWithdraw(token=payload.to, amount_wei=amount)


CALLS: Mapping[bytes, ReadCall] = {DEPOSIT: deposit, WITHDRAW: withdraw, **erc20.CALLS}
