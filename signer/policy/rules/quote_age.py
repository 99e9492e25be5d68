"""Refuses a swap whose client's quote is old, or from a future that clocks cannot explain."""

from collections.abc import Iterator

from signer.domain.actions import Swap
from signer.domain.claims import SwapClaim
from signer.domain.decisions import Violation
from signer.domain.reasons import DenyReason
from signer.domain.time import MS_PER_S
from signer.policy.model import AccountPolicy
from signer.policy.proposal import Proposal

FUTURE_MS = 2 * MS_PER_S
"""How far two synchronised hosts' clocks may be apart."""


def quote_age(account: AccountPolicy, proposal: Proposal) -> Iterator[Violation]:
    """Judge when the client says that it quoted.

    By the moment in which it asked: the time that a person takes is no fault of the quote, and the prices
    of now are compared all the same.
    """
    if not (isinstance(proposal.action, Swap) and isinstance(proposal.claim, SwapClaim)):
        return
    age_ms = proposal.asked_at - proposal.claim.quote_time
    limit_ms = account.max_quote_age_s * MS_PER_S
    if not -FUTURE_MS <= age_ms <= limit_ms:
        yield Violation(
            reason=DenyReason.QUOTE_TOO_OLD,
            rule="quote_age",
            limit=f"{-FUTURE_MS} to {limit_ms}",
            actual=str(age_ms),
            unit="ms",
        )
