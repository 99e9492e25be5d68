"""SIGNED → BROADCAST or UNKNOWN: hand the bytes to the node. Refuses to take its words for proof."""

import contextlib

from trader.domain.errors import SignerNotReadyError, SignerUnavailableError
from trader.domain.orders import OrderState
from trader.engine import attempts
from trader.engine.attended.asking import PersonAsked
from trader.engine.beliefs import words
from trader.engine.desk import Desk
from trader.engine.fills import fill_of
from trader.engine.results import StepResult, wait
from trader.ports.chain import BroadcastOutcome
from trader.ports.order_store import Claim
from trader.ports.signer import Refused, Signed

_IN_THE_POOL = frozenset({BroadcastOutcome.ACCEPTED, BroadcastOutcome.KNOWN})


async def step(desk: Desk, claim: Claim) -> StepResult:
    """Send the order's transaction, unless it is mined already: a crash may have come after the sending."""
    order = claim.order
    if order.transaction_hash is None:
        raise ValueError(f"order {order.id} is signed without a hash")
    signed = desk.held.of(order.id)
    if signed is None:
        receipt = await desk.chain.receipt(order.transaction_hash)
        if receipt is not None:
            return await desk.store.mined(claim, fill_of(order, receipt), desk.clock.now())
        answer = await attempts.original(desk, order)
        if isinstance(answer, PersonAsked):
            return wait(desk, claim, "the signature once more", patient=True)
        if isinstance(answer, Refused):
            return await lost(desk, claim, f"the signer refuses to repeat its signature: {words(answer)}")
        if answer.transaction_hash != order.transaction_hash:
            return await lost(desk, claim, f"the signer repeats another signature: {answer.transaction_hash}")
        signed = answer
        desk.held.keep(order.id, signed)
    return await send(desk, claim, signed)


async def send(desk: Desk, claim: Claim, signed: Signed) -> StepResult:
    """Hand signed bytes of the order's nonce to the node, and record what it says."""
    said = await desk.chain.broadcast(signed.raw, signed.transaction_hash)
    if said.outcome not in _IN_THE_POOL:
        return await lost(desk, claim, f"{said.outcome}: {said.detail}")
    again = claim.order.state is not OrderState.SIGNED
    if claim.order.state is not OrderState.BROADCAST:
        claim = await desk.store.broadcast(claim, desk.clock.now())
    # A hint for the signer; the chain tells it the truth anyway.
    with contextlib.suppress(SignerUnavailableError, SignerNotReadyError):
        await desk.signer.report_broadcast(signed.transaction_id, signed.transaction_hash)
    return wait(desk, claim, "receipt", patient=again)


async def lost(desk: Desk, claim: Claim, why: str) -> StepResult:
    """Into UNKNOWN, once; then wait for proof."""
    if claim.order.state is not OrderState.UNKNOWN:
        claim = await desk.store.outcome_lost(claim, why, desk.clock.now())
    return wait(desk, claim, why, patient=True)
