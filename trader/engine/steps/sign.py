"""SIGN_REQUESTED → SIGNED or REFUSED, by the signer's answer to the same key. Refuses to end by a timer."""

from trader.engine import attempts
from trader.engine.beliefs import words
from trader.engine.desk import Desk
from trader.engine.results import StepResult
from trader.ports.order_store import Claim
from trader.ports.signer import Refused


async def step(desk: Desk, claim: Claim) -> StepResult:
    """Ask, for the first time or again: the same key and content is the same answer."""
    answer = await attempts.original(desk, claim.order)
    if isinstance(answer, Refused):
        return await desk.store.deny(claim, words(answer), desk.clock.now())
    desk.held.keep(claim.order.id, answer)
    return await desk.store.signed(
        claim, answer.transaction_id, answer.nonce, answer.transaction_hash, desk.clock.now()
    )
