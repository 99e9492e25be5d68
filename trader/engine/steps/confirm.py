"""BROADCAST and UNKNOWN → MINED, or DROPPED on proof. Refuses to end by a timer or by an error of the node.

A transaction that is not mined in time is replaced with higher fees; after its deadline it is cancelled.
Whichever is mined decides. Proof of dropping: a final block in which the nonce is used, and by none of ours.
"""

from trader.domain.ids import address_of
from trader.domain.orders import Order, OrderState
from trader.domain.time import MS_PER_S
from trader.engine.attempts import (
    Answer,
    Attempt,
    AttemptKind,
    cancel_after,
    known_attempts,
    replace_next,
    signed_again,
)
from trader.engine.attended.asking import PersonAsked
from trader.engine.beliefs import words
from trader.engine.desk import Desk
from trader.engine.fills import fill_of
from trader.engine.finality import final_block_number
from trader.engine.results import StepResult, wait
from trader.engine.steps.broadcast import lost, send
from trader.ports.chain import Receipt
from trader.ports.order_store import Claim
from trader.ports.signer import Refused

_SIGNER_SAW_IT = frozenset({"mined", "final"})
CANCELLED = "our own cancellation was mined"
A_PERSON = "a person before the device"
CONSUMED = "the nonce was consumed by another transaction"


async def step(desk: Desk, claim: Claim) -> StepResult:
    """Look for the receipt; when it is late, for those of all attempts."""
    order = claim.order
    if order.transaction_hash is None:
        raise ValueError(f"order {order.id} is in the world without a hash")
    receipt = await desk.chain.receipt(order.transaction_hash)
    if receipt is not None:
        return await desk.store.mined(claim, fill_of(order, receipt), desk.clock.now())
    if order.state is OrderState.BROADCAST and not _late(desk, order):
        return wait(desk, claim, "receipt")
    return await _late_step(desk, claim)


async def find_receipt(desk: Desk, attempts: tuple[Attempt, ...]) -> tuple[Attempt, Receipt] | None:
    """The attempt that is mined, with its receipt. At most one can be."""
    for attempt in attempts:
        receipt = await desk.chain.receipt(attempt.record.transaction_hash)
        if receipt is not None:
            return attempt, receipt
    return None


async def cancelled(desk: Desk, claim: Claim, receipt: Receipt) -> StepResult:
    """The cancellation is mined: at finality the order is dropped, and its fee is booked."""
    if receipt.block_number > await final_block_number(desk):
        return wait(desk, claim, "finality of the cancellation")
    if await desk.chain.block_hash(receipt.block_number) != receipt.block_hash:
        return wait(desk, claim, "one chain")
    return await desk.store.drop(claim, CANCELLED, receipt.fee_paid_wei, desk.clock.now())


async def _late_step(desk: Desk, claim: Claim) -> StepResult:
    order = claim.order
    # The nonce before the receipts: whatever used it up to that block has its receipt by then.
    consumed = await _consumed(desk, order)
    known = await known_attempts(desk, order)
    attempts = known.attempts
    found = await find_receipt(desk, attempts)
    if found is not None:
        attempt, receipt = found
        if attempt.kind is AttemptKind.CANCELLATION:
            return await cancelled(desk, claim, receipt)
        return await desk.store.mined(claim, fill_of(order, receipt), desk.clock.now())
    if consumed:
        return await _drop(desk, claim, attempts)
    if known.asked:
        return wait(desk, claim, A_PERSON, patient=True)
    return await _push(desk, claim, attempts)


async def _drop(desk: Desk, claim: Claim, attempts: tuple[Attempt, ...]) -> StepResult:
    """Two looks, one pause apart, and the signer must not have seen it mined: a node may lag, or lie."""
    if any(attempt.record.state in _SIGNER_SAW_IT for attempt in attempts):
        return wait(desk, claim, "the signer saw a receipt that the node does not show")
    if claim.order.state is not OrderState.UNKNOWN or claim.order.reason != CONSUMED:
        return wait(desk, await desk.store.outcome_lost(claim, CONSUMED, desk.clock.now()), CONSUMED)
    return await desk.store.drop(claim, CONSUMED, 0, desk.clock.now())


async def _push(desk: Desk, claim: Claim, attempts: tuple[Attempt, ...]) -> StepResult:
    """Get the nonce used: by a replacement, past the deadline by the cancellation, else by the same bytes."""
    order, newest = claim.order, attempts[-1]
    answer = await _next(desk, order, newest)
    if answer is None or isinstance(answer, Refused):
        refused = answer
        answer = desk.held.of(order.id)
        if answer is None or answer.transaction_hash != newest.record.transaction_hash:
            answer = await signed_again(desk, order, attempts)
        if isinstance(answer, Refused):
            why = words(answer) if refused is None else words(refused)
            return await lost(desk, claim, f"the signer refuses: {why}")
    if isinstance(answer, PersonAsked):
        return wait(desk, claim, A_PERSON, patient=True)
    desk.held.keep(order.id, answer)
    return await send(desk, claim, answer)


async def _next(desk: Desk, order: Order, newest: Attempt) -> Answer | None:
    """The attempt whose time has come, or None."""
    if newest.kind is AttemptKind.CANCELLATION:
        return None
    if await _past_deadline(desk, order):
        return await cancel_after(desk, order, newest)
    due = _age_ms(desk, order) // desk.config.stuck_after_ms
    if newest.number < min(due, desk.config.max_replacements):
        return await replace_next(desk, order, newest)
    return None


async def _consumed(desk: Desk, order: Order) -> bool:
    if order.nonce is None:
        raise ValueError(f"order {order.id} is in the world without a nonce")
    final = await final_block_number(desk)
    return final >= 0 and await desk.chain.transaction_count(address_of(order.wallet), final) > order.nonce


async def _past_deadline(desk: Desk, order: Order) -> bool:
    """By our clock or the chain's: a cancellation is always safe."""
    if order.draft is None:
        raise ValueError(f"order {order.id} is in the world without a draft")
    latest_s = max((await desk.chain.head()).timestamp_s, desk.clock.now() // MS_PER_S)
    return latest_s > order.draft.deadline_s


def _late(desk: Desk, order: Order) -> bool:
    return _age_ms(desk, order) >= desk.config.stuck_after_ms


def _age_ms(desk: Desk, order: Order) -> int:
    if order.signed_at is None:
        raise ValueError(f"order {order.id} is in the world without a time of signature")
    return desk.clock.now() - order.signed_at
