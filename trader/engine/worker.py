"""One of several workers that advance orders: claim, step until there is nothing to do, let go.

Refuses to let one order's trouble stop the others: what goes wrong with an order delays that order.
"""

import asyncio

import structlog
from structlog.typing import FilteringBoundLogger

from trader.domain.errors import (
    ChainUnavailableError,
    FundsShortError,
    LeaseLostError,
    SignerNotReadyError,
    SignerUnavailableError,
    StoreUnavailableError,
)
from trader.domain.ids import OrderId
from trader.domain.orders import Order, OrderState
from trader.domain.time import UnixMs
from trader.engine.desk import Desk
from trader.engine.order_step import step
from trader.engine.results import Wait
from trader.ports.order_store import Claim

log: FilteringBoundLogger = structlog.get_logger("trader.worker")

_WORLD = (ChainUnavailableError, SignerUnavailableError, SignerNotReadyError)


class Worker:
    """`owner` names this worker in the claims: unique among all processes that share the database."""

    def __init__(self, desk: Desk, owner: str) -> None:
        self._desk, self._owner = desk, owner
        self._failures: dict[OrderId, int] = {}

    async def run(self, stop: asyncio.Event) -> None:
        """Work until `stop`; then finish the step at hand, give the order back and return."""
        desk = self._desk
        while not stop.is_set():
            claims = await desk.store.claim(self._owner, desk.clock.now(), desk.config.lease_ms, 1)
            for claim in claims:
                await self.work(claim, stop)
            if not claims:
                await desk.bell.wait(desk.config.poll_ms)

    async def work(self, claim: Claim, stop: asyncio.Event) -> None:
        """Advance one claimed order as far as it goes now, then what it opened on the way."""
        following: Claim | None = claim
        while following is not None:
            following = await self._work(following, stop)

    async def _work(self, claim: Claim, stop: asyncio.Event) -> Claim | None:
        """One order; returns the claim that it waits for. Whatever goes wrong delays this order only."""
        desk = self._desk
        try:
            return await self._advance(claim, stop)
        except LeaseLostError:
            log.warning("order.lease_lost", order=claim.order.id)
        except _WORLD as error:
            log.warning("order.delayed", order=claim.order.id, state=claim.order.state, why=str(error))
            await self._let_go(claim, self._backoff_ms(claim.order.id))
        except FundsShortError as error:
            # The chain took more than the books have: that wallet must not trade on, and a person must look.
            log.error("wallet.halted", wallet=claim.order.wallet, why=str(error))  # noqa: TRY400 - no trace needed
            await desk.store.halt_wallet(claim.order.wallet, str(error)[:500], desk.clock.now())
            await self._let_go(claim, desk.config.quarantine_ms)
        except StoreUnavailableError:
            raise  # nothing can be done without the database; the supervisor restarts this worker
        except Exception as error:
            log.exception(
                "order.broken", order=claim.order.id, state=claim.order.state, error=repr(error)[:500]
            )
            await self._let_go(claim, desk.config.quarantine_ms)
        return None

    async def _advance(self, claim: Claim, stop: asyncio.Event) -> Claim | None:
        desk = self._desk
        while not stop.is_set():
            claim = await self._renewed(claim)
            result = await step(desk, claim)
            self._failures.pop(claim.order.id, None)
            match result:
                case Claim():
                    _said(result.order)
                    claim = result
                    if claim.order.state is OrderState.MINED:
                        await self._wake_parent(claim.order)
                case Wait():
                    if result.claim.order.state is not claim.order.state:
                        _said(result.claim.order)
                    await desk.store.let_go(result.claim, result.due_at)
                    return result.first
                case Order():
                    _said(result)
                    desk.held.forget(result.id)
                    await self._wake_parent(result)
                    return None
        await desk.store.let_go(claim, desk.clock.now())
        return None

    async def _wake_parent(self, order: Order) -> None:
        """The swap that waits for this approval looks at once, and finds out the rest by itself."""
        if order.parent is not None:
            await self._desk.store.wake(order.parent, self._desk.clock.now())
            self._desk.bell.ring()

    async def _renewed(self, claim: Claim) -> Claim:
        """Before each step, when less than half of the lease is left: a step is shorter than half a lease."""
        now, lease_ms = self._desk.clock.now(), self._desk.config.lease_ms
        if (claim.lease_until - now) * 2 > lease_ms:
            return claim
        return await self._desk.store.renew(claim, now, lease_ms)

    async def _let_go(self, claim: Claim, pause_ms: int) -> None:
        """The claim may be older than the row; its fence still fits, and only the fence is asked for."""
        try:
            await self._desk.store.let_go(claim, UnixMs(self._desk.clock.now() + pause_ms))
        except LeaseLostError:
            log.warning("order.lease_lost", order=claim.order.id)

    def _backoff_ms(self, order: OrderId) -> int:
        config = self._desk.config
        failures = self._failures[order] = self._failures.get(order, 0) + 1
        return int(min(config.retry_first_ms * 2 ** min(failures - 1, 20), config.retry_most_ms))


def _said(order: Order) -> None:
    log.info(
        "order.advanced",
        order=order.id,
        kind=order.kind,
        state=order.state,
        strategy=order.strategy,
        venue=order.venue if order.quote is None else order.quote.venue,
        transaction_hash=order.transaction_hash,
        reason=order.reason,
    )
