"""Broken rolling limits as violations, in the same words whether a rule or the ledger found them."""

from collections.abc import Iterable

from signer.domain import budget
from signer.domain.budget import Excess
from signer.domain.decisions import Violation
from signer.domain.reasons import DenyReason


def excess_violations(found: Iterable[Excess]) -> tuple[Violation, ...]:
    """Return each broken limit as a violation."""
    return tuple(map(_violation, found))


def _violation(excess: Excess) -> Violation:
    limit = excess.limit
    match limit.resource:
        case budget.FEE:
            reason, unit = DenyReason.FEE_CAP_EXCEEDED, "wei"
        case budget.TRANSACTIONS:
            reason, unit = DenyReason.RATE_EXCEEDED, "transactions"
        case native if budget.unit_of(native) == "wei":
            reason, unit = DenyReason.ROLLING_CAP_EXCEEDED, "wei"
        case token:
            reason, unit = DenyReason.ROLLING_CAP_EXCEEDED, f"base units of {token.removeprefix('token:')}"
    return Violation(
        reason=reason,
        rule=f"rolling_{limit.window_s}_s",
        limit=str(limit.limit),
        actual=str(excess.used + excess.charge),
        unit=unit,
    )
