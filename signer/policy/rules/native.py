"""Refuses transfers of the native coin, except to listed recipients within the limit, and top-ups."""

from collections.abc import Iterator

from signer.domain.actions import NativeTransfer
from signer.domain.decisions import Violation
from signer.domain.reasons import DenyReason
from signer.policy.model import AccountPolicy
from signer.policy.proposal import Proposal


def native(account: AccountPolicy, proposal: Proposal) -> Iterator[Violation]:
    """Listed recipient, limited amount."""
    action = proposal.action
    if not isinstance(action, NativeTransfer) or account.tops_up(None, action.recipient):
        return
    if action.recipient not in account.native.recipients:
        yield Violation(
            reason=DenyReason.RECIPIENT_NOT_ALLOWED,
            rule="native",
            limit=" ".join(sorted(account.native.recipients)) or "no recipient is listed",
            actual=action.recipient,
            unit="address",
        )
    if action.amount_wei > account.native.max_per_transfer_wei:
        yield Violation(
            reason=DenyReason.AMOUNT_TOO_HIGH,
            rule="native",
            limit=str(account.native.max_per_transfer_wei),
            actual=str(action.amount_wei),
            unit="wei",
        )
