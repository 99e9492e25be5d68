"""Refuses an allowance for anybody but the listed spenders of that token. A revocation needs one too."""

from collections.abc import Iterator

from signer.domain.actions import Erc20Approve
from signer.domain.decisions import Violation
from signer.domain.reasons import DenyReason
from signer.policy.model import AccountPolicy
from signer.policy.proposal import Proposal


def spender(account: AccountPolicy, proposal: Proposal) -> Iterator[Violation]:
    """Listed spenders only, token by token."""
    action = proposal.action
    if not isinstance(action, Erc20Approve):
        return
    token = account.token_at.get(action.token)
    allowed = frozenset() if token is None else token.spenders
    if action.spender not in allowed:
        yield Violation(
            reason=DenyReason.SPENDER_NOT_ALLOWED,
            rule="spender",
            limit=" ".join(sorted(allowed)) or "no spender is listed for this token",
            actual=action.spender,
            unit="address",
        )
