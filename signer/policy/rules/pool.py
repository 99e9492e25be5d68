"""Refuses a swap through a v3 pool whose fee tier is not listed for its router.

Anybody can open a pool of two listed tokens at an unused tier, alone in it, at any price. A quote of that
pool would call the price fair.
"""

from collections.abc import Iterator

from signer.domain.actions import Swap
from signer.domain.decisions import Violation
from signer.domain.reasons import DenyReason
from signer.policy.model import AccountPolicy
from signer.policy.proposal import Proposal


def pool(account: AccountPolicy, proposal: Proposal) -> Iterator[Violation]:
    """Every hop must use a listed tier; a router that is not listed is the contract rule's matter."""
    if not isinstance(proposal.action, Swap):
        return
    router = account.router_at.get(proposal.action.router)
    allowed = frozenset[int]() if router is None else router.fee_tiers
    for fee in proposal.action.fees:
        if fee not in allowed:
            yield Violation(
                reason=DenyReason.POOL_NOT_ALLOWED,
                rule="pool",
                limit=" ".join(map(str, sorted(allowed))) or "no fee tier is listed",
                actual=str(fee),
                unit="hundredths of a bip",
            )
