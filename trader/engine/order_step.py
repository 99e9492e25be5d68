"""The next step of an order, whatever its state. Recovery and normal operation are this one function.

The states and what may follow are the table in domain/orders.py; each step's file says what happens.
"""

from collections.abc import Awaitable, Callable, Mapping

from trader.domain.orders import OPEN_STATES, OrderState
from trader.engine.desk import Desk
from trader.engine.results import StepResult
from trader.engine.steps import ask, broadcast, confirm, intent, reserve, settle, sign
from trader.ports.order_store import Claim

STEPS: Mapping[OrderState, Callable[[Desk, Claim], Awaitable[StepResult]]] = {
    OrderState.INTENT: intent.step,
    OrderState.QUOTED: reserve.step,
    OrderState.RESERVED: ask.step,
    OrderState.SIGN_REQUESTED: sign.step,
    OrderState.SIGNED: broadcast.step,
    OrderState.BROADCAST: confirm.step,
    OrderState.UNKNOWN: confirm.step,
    OrderState.MINED: settle.step,
}

assert STEPS.keys() == OPEN_STATES  # noqa: S101 - a state without a step would be an order that nobody resumes


async def step(desk: Desk, claim: Claim) -> StepResult:
    """Do what the order's state asks for.

    Raises what the ports raise; then the order stands where it stood, and the same step is done again later.
    """
    return await STEPS[claim.order.state](desk, claim)
