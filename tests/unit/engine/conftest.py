"""A desk in memory for the steps."""

import uuid
from dataclasses import dataclass, replace

import pytest

from tests.fakes.fake_signer import FakeSigner
from tests.fakes.trader_clock import TraderClock
from tests.fakes.trader_world import ASSET_IN, ASSET_OUT, CONFIG, FakeChain, FakeVenue, OrderBook
from tests.testbed.accounts import dev_account
from trader.adapters.uniswap.erc20 import Erc20Approvals
from trader.domain.ids import OrderId, StrategyName
from trader.domain.orders import Order, OrderKind, OrderState
from trader.domain.time import UnixMs
from trader.engine.desk import Desk
from trader.engine.order_step import step
from trader.engine.results import StepResult
from trader.ports.order_store import NewOrder


@dataclass(slots=True)
class Scene:
    """One desk, its fakes, and one live swap unless a test asks for another."""

    clock: TraderClock
    store: OrderBook
    chain: FakeChain
    signer: FakeSigner
    venue: FakeVenue
    desk: Desk

    async def order(self, *, live: bool = True, venue: str = "best") -> OrderId:
        new = self.new_order(live=live, venue=venue)
        await self.store.create(new)
        return new.id

    def new_order(self, *, live: bool = True, venue: str = "best") -> NewOrder:
        now = self.clock.now()
        return NewOrder(
            id=OrderId(str(uuid.UUID(int=len(self.store.rows) + 1))),
            kind=OrderKind.SWAP,
            wallet=self.signer.wallet,
            strategy=StrategyName("test"),
            venue=venue,
            asset_in=ASSET_IN,
            asset_out=ASSET_OUT,
            amount_in=1_000,
            max_slippage_bps=50,
            live=live,
            created_at=now,
            expires_at=UnixMs(now + 60_000),
        )

    async def step(self, order: OrderId) -> StepResult:
        return await step(self.desk, self.store.claim_now(order))

    async def state_after(self, order: OrderId) -> OrderState:
        await self.step(order)
        return self.store.rows[order].state

    async def allow(self, order: OrderId) -> None:
        """The allowance of the swap is on the chain."""
        await self.step(order)
        approval = self.store.approvals[order]
        self.store.rows[approval.order] = replace(self.store.rows[approval.order], state=OrderState.SETTLED)
        self.chain.allowed = approval.amount

    async def until(self, order: OrderId, state: OrderState) -> Order:
        await self.allow(order)
        for _ in range(20):
            if self.store.rows[order].state is state:
                return self.store.rows[order]
            await self.step(order)
        raise AssertionError(f"the order stays {self.store.rows[order].state}")


@pytest.fixture
def scene() -> Scene:
    clock = TraderClock.standing()
    store, chain, venue = OrderBook(), FakeChain(), FakeVenue(clock)
    signer = FakeSigner(dev_account(1), chain_id=31337)
    desk = Desk(
        store=store,
        chain=chain,
        signer=signer,
        clock=clock,
        venues={venue.name: venue},
        approvals=Erc20Approvals(),
        config=CONFIG,
    )
    return Scene(clock=clock, store=store, chain=chain, signer=signer, venue=venue, desk=desk)
