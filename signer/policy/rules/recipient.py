"""Refuses a swap whose proceeds go anywhere but to the account itself, spelled out as its address.

SwapRouter02 reads two recipients as markers: 0x…01 as the caller, 0x…02 as the router itself, whose balance
anybody may sweep. Neither is the account's address, so neither passes.
"""

from collections.abc import Iterator

from signer.domain.actions import Swap
from signer.domain.decisions import Violation
from signer.domain.reasons import DenyReason
from signer.policy.model import AccountPolicy
from signer.policy.proposal import Proposal


def recipient(account: AccountPolicy, proposal: Proposal) -> Iterator[Violation]:
    """Only the account receives."""
    action = proposal.action
    if isinstance(action, Swap) and action.recipient != account.address:
        yield Violation(
            reason=DenyReason.RECIPIENT_NOT_ALLOWED,
            rule="recipient",
            limit=account.address,
            actual=action.recipient,
            unit="address",
        )
