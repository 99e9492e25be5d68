"""Refuses an allowance above the token's `max_approval`. There is no unlimited approval."""

from collections.abc import Iterator

from signer.domain.actions import Erc20Approve
from signer.domain.decisions import Violation
from signer.domain.reasons import DenyReason
from signer.policy.model import AccountPolicy
from signer.policy.proposal import Proposal


def approval(account: AccountPolicy, proposal: Proposal) -> Iterator[Violation]:
    """At most what the policy lets a router take."""
    action = proposal.action
    if not isinstance(action, Erc20Approve):
        return
    token = account.token_at.get(action.token)
    limit = 0 if token is None else token.max_approval
    if action.amount > limit:
        yield Violation(
            reason=DenyReason.APPROVAL_TOO_HIGH,
            rule="approval",
            limit=str(limit),
            actual=str(action.amount),
            unit="base units",
        )
