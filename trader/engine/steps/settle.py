"""MINED → SETTLED or REVERTED at finality, by the receipt's Transfer logs. Refuses to book what may still go.

A receipt that is gone was reorganised away: the order goes back to BROADCAST and its bytes are sent again.
"""

from trader.domain.orders import Order
from trader.engine.attempts import AttemptKind, known_attempts
from trader.engine.desk import Desk
from trader.engine.fills import fill_of
from trader.engine.finality import final_block_number
from trader.engine.results import StepResult, wait
from trader.engine.steps.confirm import cancelled, find_receipt
from trader.ports.chain import Receipt
from trader.ports.order_store import Claim


async def step(desk: Desk, claim: Claim) -> StepResult:
    """Book the fill, or wait for finality, or go back."""
    order = claim.order
    if order.transaction_hash is None:
        raise ValueError(f"order {order.id} is mined without a hash")
    receipt = await desk.chain.receipt(order.transaction_hash)
    if receipt is None:
        found = await find_receipt(desk, (await known_attempts(desk, order)).attempts)
        if found is None:
            return await desk.store.reorganised(claim, desk.clock.now())
        attempt, receipt = found
        if attempt.kind is AttemptKind.CANCELLATION:
            return await cancelled(desk, claim, receipt)
    return await _settle(desk, claim, receipt)


async def _settle(desk: Desk, claim: Claim, receipt: Receipt) -> StepResult:
    fill = fill_of(claim.order, receipt)
    if receipt.block_number > await final_block_number(desk):
        if _moved(claim.order, receipt):
            claim = await desk.store.mined(claim, fill, desk.clock.now())
        return wait(desk, claim, "finality")
    if await desk.chain.block_hash(receipt.block_number) != receipt.block_hash:
        return wait(desk, claim, "one chain: receipt and block disagree")
    return await desk.store.settle(claim, fill, desk.clock.now())


def _moved(order: Order, receipt: Receipt) -> bool:
    return (order.block_number, order.block_hash) != (receipt.block_number, receipt.block_hash)
