"""SIGN_REQUESTED → SIGNED, REFUSED or EXPIRED by the signer's word on the same key. Never by a timer.

Where a person has to confirm, the question goes on by itself, and each look asks for its answer.
"""

from trader.domain.errors import SignerHeldUpError
from trader.engine import attempts
from trader.engine.attended.asking import PersonAsked
from trader.engine.attended.give_up import give_up_expired
from trader.engine.beliefs import words
from trader.engine.desk import Desk
from trader.engine.groups.hand_over import cannot_sign, too_much
from trader.engine.results import StepResult, wait
from trader.ports.order_store import Claim
from trader.ports.signer import ROTATED_OUT, Refused


async def step(desk: Desk, claim: Claim) -> StepResult:
    """Ask, for the first time or again: the same key and content is the same answer."""
    given_up = await give_up_expired(desk, claim)
    if given_up is not None:
        return given_up
    try:
        answer = await attempts.original(desk, claim.order)
    except SignerHeldUpError as error:
        ended = await cannot_sign(desk, claim, error)
        if ended is None:
            raise
        return ended
    if isinstance(answer, PersonAsked):
        return wait(desk, claim, "a person before the device")
    if isinstance(answer, Refused):
        return await _refused(desk, claim, answer)
    desk.held.keep(claim.order.id, answer)
    return await desk.store.signed(
        claim, answer.transaction_id, answer.nonce, answer.transaction_hash, desk.clock.now()
    )


async def _refused(desk: Desk, claim: Claim, refused: Refused) -> StepResult:
    """Nothing was signed now. Of an account that is rotated out, or has a person, that may be old news.

    An earlier question may have been signed, and another process may ask the same anew: then lookup raises.
    """
    order, now = claim.order, desk.clock.now()
    rotated_out = any(refusal.reason in ROTATED_OUT for refusal in refused.refusals)
    if order.idempotency_key is not None and (rotated_out or desk.people.person_ms(order.wallet)):
        known = await desk.signer.lookup(order.idempotency_key)
        if known is not None:
            return await desk.store.signed(
                claim, known.transaction_id, known.nonce, known.transaction_hash, now
            )
    elsewhere = await too_much(desk, claim, refused)
    return elsewhere or await desk.store.deny(claim, words(refused), now)
