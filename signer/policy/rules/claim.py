"""Refuses a transaction whose bytes do other than its client believes. The bytes are what counts.

A difference means that the client was lied to, or lies; either way its other beliefs are worth nothing.
"""

from collections.abc import Iterator
from typing import TypeAlias, assert_never

from signer.domain.actions import (
    Action,
    Erc20Approve,
    Erc20Transfer,
    NativeTransfer,
    NotUnderstood,
    Swap,
    WethDeposit,
    WethWithdraw,
)
from signer.domain.claims import (
    ApproveClaim,
    Claim,
    NativeTransferClaim,
    SwapClaim,
    TokenTransferClaim,
    WrapClaim,
    WrapDirection,
)
from signer.domain.decisions import Violation
from signer.domain.reasons import DenyReason
from signer.policy.model import AccountPolicy
from signer.policy.proposal import Proposal

_Field: TypeAlias = tuple[str, str | int, str | int]
"""Name, value by the bytes, value by the claim."""

_KIND: dict[type[Claim], str] = {
    SwapClaim: "swap",
    ApproveClaim: "approve",
    WrapClaim: "wrap",
    NativeTransferClaim: "native transfer",
    TokenTransferClaim: "token transfer",
}


def claim(_: AccountPolicy, proposal: Proposal) -> Iterator[Violation]:
    """Compare field by field."""
    if isinstance(proposal.action, NotUnderstood):
        return
    for name, by_bytes, by_claim in _fields(proposal.action, proposal.claim):
        if by_bytes != by_claim:
            yield Violation(
                reason=DenyReason.CLAIM_MISMATCH,
                rule="claim",
                limit=f"{name} {by_claim}",
                actual=f"{name} {by_bytes}",
                unit="claimed and decoded",
            )


def _fields(action: Action, claimed: Claim) -> tuple[_Field, ...]:
    match action, claimed:
        case Swap(), SwapClaim():
            return (
                ("token_in", action.token_in, claimed.token_in),
                ("token_out", action.token_out, claimed.token_out),
                ("amount_in", action.amount_in, claimed.amount_in),
                ("minimum_out", action.minimum_out, claimed.minimum_out),
            )
        case Erc20Approve(), ApproveClaim():
            return (
                ("token", action.token, claimed.token),
                ("spender", action.spender, claimed.spender),
                ("amount", action.amount, claimed.amount),
            )
        case ((WethDeposit() | WethWithdraw()), WrapClaim()):
            return (
                ("direction", _direction(action), claimed.direction),
                ("amount_wei", action.amount_wei, claimed.amount_wei),
            )
        case NativeTransfer(), NativeTransferClaim():
            return (
                ("recipient", action.recipient, claimed.recipient),
                ("amount_wei", action.amount_wei, claimed.amount_wei),
            )
        case Erc20Transfer(), TokenTransferClaim():
            return (
                ("token", action.token, claimed.token),
                ("recipient", action.recipient, claimed.recipient),
                ("amount", action.amount, claimed.amount),
            )
        case _:
            return (("kind", _kind(action), _KIND[type(claimed)]),)


def _direction(action: WethDeposit | WethWithdraw) -> WrapDirection:
    return WrapDirection.DEPOSIT if isinstance(action, WethDeposit) else WrapDirection.WITHDRAW


def _kind(action: Action) -> str:
    match action:
        case Swap():
            return _KIND[SwapClaim]
        case Erc20Approve():
            return _KIND[ApproveClaim]
        case WethDeposit() | WethWithdraw():
            return _KIND[WrapClaim]
        case NativeTransfer():
            return _KIND[NativeTransferClaim]
        case Erc20Transfer():
            return _KIND[TokenTransferClaim]
        case _ as never:
            assert_never(never)
