"""SIGN_REQUESTED → SIGNED or REFUSED, by the signer's answer to the same key. Refuses to end by a timer."""

from trader.engine import attempts
from trader.engine.beliefs import words
from trader.engine.desk import Desk
from trader.engine.results import StepResult
from trader.ports.order_store import Claim
from trader.ports.signer import ROTATED_OUT, Refused


async def step(desk: Desk, claim: Claim) -> StepResult:
    """Ask, for the first time or again: the same key and content is the same answer."""
    answer = await attempts.original(desk, claim.order)
    if isinstance(answer, Refused):
        return await _refused(desk, claim, answer)
    desk.held.keep(claim.order.id, answer)
    return await desk.store.signed(
        claim, answer.transaction_id, answer.nonce, answer.transaction_hash, desk.clock.now()
    )


async def _refused(desk: Desk, claim: Claim, refused: Refused) -> StepResult:
    """Nothing was signed now. For an account that is rotated out, nothing may have been before, either."""
    key, now = claim.order.idempotency_key, desk.clock.now()
    if key is not None and any(refusal.reason in ROTATED_OUT for refusal in refused.refusals):
        known = await desk.signer.lookup(key)
        if known is not None:
            return await desk.store.signed(
                claim, known.transaction_id, known.nonce, known.transaction_hash, now
            )
    return await desk.store.deny(claim, words(refused), now)
