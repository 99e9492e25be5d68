"""Refuses a call to a contract that this version of the policy does not list as what the decoder took it for.

The decoder already knows listed contracts only. A policy that was replaced between decoding and deciding
must not be judged by half of each, so the rule asks again.
"""

from collections.abc import Iterator
from typing import assert_never

from signer.domain.accounts import Address
from signer.domain.actions import (
    ContractKind,
    Erc20Approve,
    Erc20Transfer,
    NativeTransfer,
    NotUnderstood,
    Swap,
    SwapVenue,
    WethDeposit,
    WethWithdraw,
)
from signer.domain.decisions import Violation
from signer.domain.reasons import DenyReason
from signer.policy.model import AccountPolicy
from signer.policy.proposal import Proposal

_TOKENS = frozenset({ContractKind.ERC20, ContractKind.WETH9})
_WRAPPED = frozenset({ContractKind.WETH9})
_ROUTERS = {venue: frozenset({ContractKind(venue.value)}) for venue in SwapVenue}


def contract(account: AccountPolicy, proposal: Proposal) -> Iterator[Violation]:
    """Look the called contract up again."""
    if isinstance(proposal.action, NotUnderstood | NativeTransfer):
        return
    target, kinds = _target(proposal.action)
    if account.contracts().get(target) not in kinds:
        yield Violation(
            reason=DenyReason.CONTRACT_NOT_ALLOWED,
            rule="contract",
            limit=f"a listed {' or '.join(sorted(kinds))}",
            actual=target,
            unit="address",
        )


def _target(
    action: Erc20Approve | Erc20Transfer | WethDeposit | WethWithdraw | Swap,
) -> tuple[Address, frozenset[ContractKind]]:
    match action:
        case Swap():
            return action.router, _ROUTERS[action.venue]
        case Erc20Approve() | Erc20Transfer():
            return action.token, _TOKENS
        case WethDeposit() | WethWithdraw():
            return action.token, _WRAPPED
        case _ as never:
            assert_never(never)
