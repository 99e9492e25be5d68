"""Refuses a swap that has expired or that could still be mined long after anybody wants it.

Both clocks are asked, the signer's and the chain's: whichever is wrong, the other still bounds the swap. The
newest block is naturally older than now, so the far end allows the chain three slots of twelve seconds.
"""

from collections.abc import Iterator

from signer.domain.actions import Swap
from signer.domain.decisions import Violation
from signer.domain.reasons import DenyReason
from signer.domain.time import MS_PER_S
from signer.policy.model import AccountPolicy
from signer.policy.proposal import Proposal

HEAD_LAG_S = 36


def deadline(account: AccountPolicy, proposal: Proposal) -> Iterator[Violation]:
    """Judge the deadline that the contract will read."""
    swap = proposal.action
    if not isinstance(swap, Swap):
        return
    now_s, head_s = proposal.now // MS_PER_S, proposal.head.timestamp_s
    # The next block is later than the head, and the contract wants its time to be at most the deadline.
    earliest = max(now_s, head_s) + 1
    latest = min(now_s, head_s + HEAD_LAG_S) + account.max_deadline_s
    if swap.deadline < earliest:
        yield _violation(DenyReason.DEADLINE_PASSED, earliest, swap.deadline)
    if swap.deadline > latest:
        yield _violation(DenyReason.DEADLINE_TOO_FAR, latest, swap.deadline)


def _violation(reason: DenyReason, limit_s: int, actual_s: int) -> Violation:
    return Violation(reason=reason, rule="deadline", limit=str(limit_s), actual=str(actual_s), unit="unix s")
