"""Step 5: nonce, budget and the decision's record become durable together, before any key is asked."""

from signer.domain.decisions import Denied, Violation
from signer.domain.errors import KeyReusedError
from signer.domain.reasons import DenyReason
from signer.domain.records import TransactionRecord
from signer.policy.excess import excess_violations
from signer.ports.ledger import (
    AlreadyKnown,
    Decided,
    Ledger,
    NotReplaceable,
    NotSigning,
    OverLimit,
    Reservation,
    Reserved,
)
from signer.service.accounts import not_signing


async def reserve(ledger: Ledger, reservation: Reservation, decided: Decided) -> TransactionRecord | Denied:
    """Slot of the reservation, or the denial that its limits demand.

    Raises PreconditionError for an account that does not sign.
    """
    match await ledger.reserve(reservation, decided):
        case Reserved(record=record):
            return record
        case OverLimit(excesses=excesses):
            return Denied(violations=excess_violations(excesses), trace=("rolling limits",))
        case NotReplaceable(state=state, newest=newest):
            return Denied(violations=(_not_replaceable(state, newest),), trace=("replaceable",))
        case NotSigning(state=state, reason=reason):
            raise not_signing(reservation.account, state, reason)
        case AlreadyKnown():
            # Replay looked first and runs one task per key, so only a second writer could have come between.
            raise KeyReusedError(f"idempotency key {reservation.idempotency_key!r} is in use")


def _not_replaceable(state: str, newest: str) -> Violation:
    return Violation(
        reason=DenyReason.NOT_REPLACEABLE,
        rule="replaceable",
        limit="the newest transaction of its nonce, signed or broadcast",
        actual=f"{state}; the newest is {newest}",
        unit="slot state",
    )
