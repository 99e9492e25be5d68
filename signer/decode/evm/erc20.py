"""ERC-20 calls: `approve` for clients, and `transfer` where somebody has a reason for one.

A `transfer` moves money for nothing, so it is no call of CALLS: it is read for the drain of a rotation, and
of the tokens that an account may top another one up with.

Source: EIP-20.
"""

from collections.abc import Mapping

from signer.decode.evm.call import ReadCall, require_no_value
from signer.decode.evm.calldata import WORD, CalldataReader
from signer.domain.accounts import Address
from signer.domain.actions import Erc20Approve, Erc20Transfer
from signer.domain.transactions import EvmPayload

APPROVE = bytes.fromhex("095ea7b3")
"""`approve(address spender, uint256 amount)`."""
TRANSFER = bytes.fromhex("a9059cbb")
"""`transfer(address to, uint256 amount)`."""


def approve(payload: EvmPayload, call: CalldataReader) -> Erc20Approve:
    """Read an allowance."""
    require_no_value(payload)
    spender = call.address("spender")
    amount = call.uint("amount")
    call.end()
    return Erc20Approve(token=payload.to, spender=spender, amount=amount)


def transfer(payload: EvmPayload, call: CalldataReader) -> Erc20Transfer:
    """Read a transfer."""
    require_no_value(payload)
    recipient = call.address("to")
    amount = call.uint("amount")
    call.end()
    return Erc20Transfer(token=payload.to, recipient=recipient, amount=amount)


def approve_call(spender: Address, amount: int) -> bytes:
    """Calldata of an allowance."""
    return APPROVE + _words(spender, amount)


def transfer_call(recipient: Address, amount: int) -> bytes:
    """Calldata of a transfer."""
    return TRANSFER + _words(recipient, amount)


CALLS: Mapping[bytes, ReadCall] = {APPROVE: approve}
MOVES: Mapping[bytes, ReadCall] = {TRANSFER: transfer}


def _words(address: Address, amount: int) -> bytes:
    return bytes.fromhex(address[2:]).rjust(WORD, b"\0") + amount.to_bytes(WORD, "big")
