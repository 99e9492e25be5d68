"""Refuses to price a swap by a chain that stands still: a stuck node, a stale reference, a wrong clock."""

from collections.abc import Iterator

from signer.domain.actions import Swap
from signer.domain.decisions import Violation
from signer.domain.reasons import DenyReason
from signer.domain.time import MS_PER_S
from signer.policy.model import AccountPolicy
from signer.policy.proposal import Proposal


def price_age(account: AccountPolicy, proposal: Proposal) -> Iterator[Violation]:
    """Judge the time of the head and of every reference's block, both ways from the signer's clock."""
    if not isinstance(proposal.action, Swap):
        return
    limit = account.max_price_age_s
    now_s = proposal.now // MS_PER_S
    times = {proposal.head.timestamp_s, *(quote.block_timestamp_s for quote in proposal.quotes)}
    for age in sorted(now_s - time for time in times):
        if not -limit <= age <= limit:
            yield Violation(
                reason=DenyReason.PRICE_TOO_OLD,
                rule="price_age",
                limit=f"{-limit} to {limit}",
                actual=str(age),
                unit="s",
            )
