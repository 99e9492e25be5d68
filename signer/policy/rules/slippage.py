"""Refuses a swap that may return less than the signer's own references allow. No reference, no swap."""

from collections.abc import Iterator

from signer.domain.actions import Swap
from signer.domain.decisions import Violation
from signer.domain.reasons import DenyReason
from signer.policy.model import AccountPolicy
from signer.policy.proposal import Proposal

BPS = 10_000


def slippage(account: AccountPolicy, proposal: Proposal) -> Iterator[Violation]:
    """Judge the minimum out against the reference that promises most."""
    swap = proposal.action
    if not isinstance(swap, Swap):
        return
    # A reference of nothing would let a minimum of nothing pass; it is no price.
    if not proposal.quotes or any(quote.amount_out <= 0 for quote in proposal.quotes):
        yield Violation(
            reason=DenyReason.NO_REFERENCE_PRICE,
            rule="slippage",
            limit="a price by every reference",
            actual=" ".join(f"{quote.source}={quote.amount_out}" for quote in proposal.quotes) or "none",
            unit="base units",
        )
        return
    reference = max(quote.amount_out for quote in proposal.quotes)
    # Both sides times 10,000: exact, so nothing is rounded in the trader's favour.
    if swap.minimum_out * BPS < reference * (BPS - account.max_slippage_bps):
        yield Violation(
            reason=DenyReason.SLIPPAGE_TOO_HIGH,
            rule="slippage",
            limit=str(account.max_slippage_bps),
            actual=str(slippage_bps(reference, swap.minimum_out)),
            unit="bps",
        )


def slippage_bps(reference: int, minimum_out: int) -> int:
    """How far the minimum is below the reference, rounded up."""
    return -((minimum_out - reference) * BPS // reference)
