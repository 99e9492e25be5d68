"""An order that has expired while it waits for a person: given up, and closed when the signer says so.

Refuses to take silence for a no. Nothing that may be signed is closed here.
"""

from trader.domain.errors import SignerHeldUpError, SignerNotReadyError
from trader.domain.orders import Order
from trader.engine.attempts import give_up_asking
from trader.engine.desk import Desk
from trader.ports.order_store import Claim
from trader.ports.signer import OUTCOME_UNKNOWN, GivenUp

GIVEN_UP = "expired while it waited for a person; given up"
NOTHING_SIGNED = frozenset(
    {
        "DEVICE_GONE",
        "DEVICE_BUSY",
        "DEVICE_LOCKED",
        "DEVICE_WRONG_APP",
        "DEVICE_BLIND_SIGNING_OFF",
        "DEVICE_NOT_PAIRED",
        "DEVICE_FIRMWARE_TOO_OLD",
        "DEVICE_REFUSES",
        "WALLET_CONDITION",
    }
)
"""Reasons that the signer gives only after it found no signature under the key, and made none."""

STOPPED = frozenset({OUTCOME_UNKNOWN, "ACCOUNT_PAUSED"})
"""Reasons of an account that an operator has to look at: what was asked of it is asked of nobody else."""


async def give_up_expired(desk: Desk, claim: Claim) -> Order | None:
    """Give up what waits for a person for too long; None while there is nothing to give up."""
    order = claim.order
    if order.idempotency_key is None or desk.clock.now() < order.expires_at:
        return None
    waiting = desk.people.waiting(order.idempotency_key)
    if waiting is None:
        return None
    try:
        answer = await give_up_asking(desk, order, waiting.transaction_id)
    except SignerNotReadyError:
        return None  # it ended in this moment: its own answer says how
    if not isinstance(answer, GivenUp):
        return None  # it was signed in this moment: asking again brings the signature
    if await was_signed(desk, order):
        return None
    desk.asking.forget(order.idempotency_key)
    return await desk.store.withdraw(claim, GIVEN_UP, desk.clock.now())


async def withdraw_expired(desk: Desk, claim: Claim, error: SignerHeldUpError) -> Order | None:
    """Close an expired order that its account cannot sign; None when it is young, or may have been signed."""
    now = desk.clock.now()
    if now < claim.order.expires_at or error.reason not in NOTHING_SIGNED | STOPPED:
        return None
    if await was_signed(desk, claim.order):
        return None
    return await desk.store.withdraw(claim, f"expired unsigned: {error.reason}", now)


async def was_signed(desk: Desk, order: Order) -> bool:
    """Whether the signer's ledger has a signature under the order's key.

    Raises SignerUnavailableError while the question is still being asked: after a restart of the signer, or
    by another process, it may have been asked anew since the answer that we have.
    """
    return order.idempotency_key is None or await desk.signer.lookup(order.idempotency_key) is not None
