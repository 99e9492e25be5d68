"""What a step may end in: the next state, a wait, or a closed order."""

from dataclasses import dataclass
from typing import TypeAlias

from trader.domain.orders import Order
from trader.domain.time import UnixMs
from trader.engine.desk import Desk
from trader.ports.order_store import Claim

_PATIENCE = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Wait:
    """Nothing can be done before `due_at`; `why` is for people.

    `first` is another order, ours already, that this one waits for.
    """

    claim: Claim
    due_at: UnixMs
    why: str
    first: Claim | None = None


StepResult: TypeAlias = Claim | Wait | Order


def wait(desk: Desk, claim: Claim, why: str, *, patient: bool = False, first: Claim | None = None) -> Wait:
    """Look again after the usual pause; after a longer one where looking is dear, or it will be woken."""
    pause_ms = desk.config.poll_ms * (_PATIENCE if patient else 1)
    return Wait(claim=claim, due_at=UnixMs(desk.clock.now() + pause_ms), why=why, first=first)
