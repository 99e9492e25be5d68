"""Refuses what would break a rolling limit on top of everything reserved and spent within its window.

The ledger asks the same question again in the transaction that reserves: this answer is for people and for
Evaluate.
"""

from collections.abc import Iterator

from signer.domain.budget import excesses
from signer.domain.decisions import Violation
from signer.policy.charges import charges_of
from signer.policy.excess import excess_violations
from signer.policy.limits import limits_on
from signer.policy.model import AccountPolicy
from signer.policy.proposal import Proposal


def rolling(account: AccountPolicy, proposal: Proposal) -> Iterator[Violation]:
    """Judge the worst case of this transaction together with what its windows hold."""
    charges = charges_of(account, proposal.payload, proposal.action)
    return iter(excess_violations(excesses(limits_on(account, charges), charges, proposal.usage)))
