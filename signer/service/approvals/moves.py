"""What a transaction moves, asset by asset, at worst. Says what the bytes do, not what a client claims."""

from dataclasses import dataclass
from typing import TypeAlias, assert_never

from signer.domain.accounts import Address
from signer.domain.actions import (
    Action,
    DrainAction,
    Erc20Approve,
    Erc20Transfer,
    NativeTransfer,
    NotUnderstood,
    Swap,
    WethDeposit,
    WethWithdraw,
)
from signer.domain.transactions import EvmPayload
from signer.service.approvals.assets import NATIVE

Move: TypeAlias = tuple[str, int]
"""Asset and base units."""
_NOTHING: Move = (NATIVE, 0)


@dataclass(frozen=True, slots=True)
class Moves:
    """What leaves the account, apart from the fee, and what comes back at least."""

    out: tuple[Move, ...]
    back: tuple[Move, ...]


def moves_of(own: Address, payload: EvmPayload, action: Action | DrainAction | NotUnderstood) -> Moves:
    """Moves of one transaction of the account with address `own`; nothing moves without an amount."""
    out, back = _move(payload, action)
    if isinstance(action, NativeTransfer | Erc20Transfer) and action.recipient == own:
        out = _NOTHING
    return Moves(out=_some(out), back=_some(back))


def _move(payload: EvmPayload, action: Action | DrainAction | NotUnderstood) -> tuple[Move, Move]:
    out = back = _NOTHING
    match action:
        case Swap():
            out, back = (action.token_in, action.amount_in), (action.token_out, action.minimum_out)
        case NativeTransfer():
            out = NATIVE, action.amount_wei
        case Erc20Transfer():
            out = action.token, action.amount
        case WethDeposit():
            out, back = (NATIVE, action.amount_wei), (action.token, action.amount_wei)
        case WethWithdraw():
            out, back = (action.token, action.amount_wei), (NATIVE, action.amount_wei)
        case Erc20Approve():
            pass
        case NotUnderstood():
            # Only a second transaction of a nonce gets here: its first one was understood by an older policy.
            out = NATIVE, payload.value_wei
        case _ as never:
            assert_never(never)
    return out, back


def _some(move: Move) -> tuple[Move, ...]:
    return (move,) if move[1] > 0 else ()
