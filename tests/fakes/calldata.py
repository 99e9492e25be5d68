"""Calldata as an independent encoder (eth_abi) writes it, also such as no signer should sign."""

from collections.abc import Sequence

from eth_abi.abi import encode

from signer.domain.accounts import Address
from signer.domain.actions import (
    Action,
    Erc20Approve,
    Erc20Transfer,
    NativeTransfer,
    Swap,
    SwapVenue,
    WethDeposit,
    WethWithdraw,
)
from signer.domain.transactions import EvmPayload


def approve(spender: str, amount: int) -> bytes:
    return bytes.fromhex("095ea7b3") + encode(["address", "uint256"], [spender, amount])


def transfer(recipient: str, amount: int) -> bytes:
    return bytes.fromhex("a9059cbb") + encode(["address", "uint256"], [recipient, amount])


def withdraw(amount: int) -> bytes:
    return bytes.fromhex("2e1a7d4d") + encode(["uint256"], [amount])


def deposit() -> bytes:
    return bytes.fromhex("d0e30db0")


def swap_exact_tokens_for_tokens(
    amount_in: int, minimum_out: int, path: Sequence[str], recipient: str, deadline: int
) -> bytes:
    types = ["uint256", "uint256", "address[]", "address", "uint256"]
    return bytes.fromhex("38ed1739") + encode(
        types, [amount_in, minimum_out, list(path), recipient, deadline]
    )


def exact_input_single(
    path: Sequence[str], fee: int, recipient: str, amount_in: int, minimum_out: int, *, price_limit: int = 0
) -> bytes:
    types = ["(address,address,uint24,address,uint256,uint256,uint160)"]
    values = (path[0], path[1], fee, recipient, amount_in, minimum_out, price_limit)
    return bytes.fromhex("04e45aaf") + encode(types, [values])


def packed_path(path: Sequence[str], fees: Sequence[int]) -> bytes:
    packed = bytes.fromhex(path[0][2:])
    for fee, token in zip(fees, path[1:], strict=True):
        packed += fee.to_bytes(3, "big") + bytes.fromhex(token[2:])
    return packed


def exact_input(packed: bytes, recipient: str, amount_in: int, minimum_out: int) -> bytes:
    types = ["(bytes,address,uint256,uint256)"]
    return bytes.fromhex("b858183f") + encode(types, [(packed, recipient, amount_in, minimum_out)])


def multicall(deadline: int, calls: Sequence[bytes]) -> bytes:
    return bytes.fromhex("5ae401dc") + encode(["uint256", "bytes[]"], [deadline, list(calls)])


def swap(action: Swap, *, packed: bool = False) -> bytes:
    """Calldata of a swap; `packed` chooses exactInput where exactInputSingle would do."""
    if action.venue is SwapVenue.UNISWAP_V2_ROUTER02:
        return swap_exact_tokens_for_tokens(
            action.amount_in, action.minimum_out, action.path, action.recipient, action.deadline
        )
    if len(action.fees) == 1 and not packed:
        inner = exact_input_single(
            action.path, action.fees[0], action.recipient, action.amount_in, action.minimum_out
        )
    else:
        path = packed_path(action.path, action.fees)
        inner = exact_input(path, action.recipient, action.amount_in, action.minimum_out)
    return multicall(action.deadline, [inner])


def payload(action: Action, *, packed: bool = False) -> EvmPayload:
    """Payload that does exactly what the action says."""
    match action:
        case NativeTransfer():
            return call(action.recipient, b"", action.amount_wei)
        case Erc20Approve():
            return call(action.token, approve(action.spender, action.amount))
        case Erc20Transfer():
            return call(action.token, transfer(action.recipient, action.amount))
        case WethDeposit():
            return call(action.token, deposit(), action.amount_wei)
        case WethWithdraw():
            return call(action.token, withdraw(action.amount_wei))
        case Swap():
            return call(action.router, swap(action, packed=packed))


def call(to: str, data: bytes, value_wei: int = 0) -> EvmPayload:
    """Payload at modest fees."""
    return EvmPayload(
        to=Address(to),
        value_wei=value_wei,
        data=data,
        gas_limit=200_000,
        max_fee_per_gas_wei=30 * 10**9,
        max_priority_fee_per_gas_wei=10**9,
    )
