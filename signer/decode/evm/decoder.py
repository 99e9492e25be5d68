"""What a payload does, given what its target is. Understands listed contracts only."""

from collections.abc import Container, Mapping
from typing import assert_never

from signer.decode.evm import erc20, swap_router02, uniswap_v2, weth9
from signer.decode.evm.call import ReadCall
from signer.decode.evm.calldata import CalldataReader, NotReadableError
from signer.domain.accounts import Address
from signer.domain.actions import (
    Action,
    ContractKind,
    DrainAction,
    Erc20Approve,
    Erc20Transfer,
    NativeTransfer,
    NotUnderstood,
)
from signer.domain.decisions import Violation
from signer.domain.reasons import DenyReason
from signer.domain.transactions import EvmPayload

_TOKENS = frozenset({ContractKind.ERC20, ContractKind.WETH9})


def decode(
    payload: EvmPayload, contracts: Mapping[Address, ContractKind], movable: Container[Address] = frozenset()
) -> Action | NotUnderstood:
    """Return the action of the payload, read to the last byte. `contracts` says what each address is.

    Only of `movable` tokens a transfer is read at all: it moves money for nothing.
    """
    kind = contracts.get(payload.to)
    if kind is not None:
        moves = kind in _TOKENS and payload.to in movable
        return _call(payload, {**_calls_of(kind), **erc20.MOVES} if moves else _calls_of(kind))
    if not payload.data:
        return NativeTransfer(recipient=payload.to, amount_wei=payload.value_wei)
    return NotUnderstood(
        violation=Violation(
            reason=DenyReason.CONTRACT_NOT_ALLOWED,
            rule="decode",
            limit="a contract listed in the policy",
            actual=payload.to,
            unit="address",
        )
    )


def decode_drain(
    payload: EvmPayload, contracts: Mapping[Address, ContractKind]
) -> DrainAction | NotUnderstood:
    """Return what a drain's own payload does: a transfer or an approval."""
    action = decode(payload, contracts, movable=contracts)
    if isinstance(action, NativeTransfer | Erc20Approve | Erc20Transfer | NotUnderstood):
        return action
    return NotUnderstood(
        violation=Violation(
            reason=DenyReason.NOT_UNDERSTOOD,
            rule="decode",
            limit="a transfer or an approval",
            actual=type(action).__name__,
            unit="action",
        )
    )


def _call(payload: EvmPayload, calls: Mapping[bytes, ReadCall]) -> Action | NotUnderstood:
    # Empty calldata to a listed contract lands here too: a fallback function is a call that nobody named.
    call = CalldataReader(payload.data)
    try:
        read = calls.get(call.selector)
        if read is None:
            call.refuse_selector(calls)
        return read(payload, call)
    except NotReadableError as error:
        return NotUnderstood(violation=error.violation)


def _calls_of(kind: ContractKind) -> Mapping[bytes, ReadCall]:
    match kind:
        case ContractKind.ERC20:
            return erc20.CALLS
        case ContractKind.WETH9:
            return weth9.CALLS
        case ContractKind.UNISWAP_V2_ROUTER02:
            return uniswap_v2.CALLS
        case ContractKind.UNISWAP_SWAP_ROUTER02:
            return swap_router02.CALLS
        case _ as never:
            assert_never(never)
