"""Refuses what the decoder could not read to the last byte, with the decoder's own words."""

from collections.abc import Iterator

from signer.domain.actions import NotUnderstood
from signer.domain.decisions import Violation
from signer.policy.model import AccountPolicy
from signer.policy.proposal import Proposal


def understood(_: AccountPolicy, proposal: Proposal) -> Iterator[Violation]:
    """Unknown means no."""
    if isinstance(proposal.action, NotUnderstood):
        yield proposal.action.violation
