"""The queue before a person, whatever comes: one turn at a time, it goes on, and nobody is starved."""

import asyncio
from dataclasses import dataclass, field

from hypothesis import given, settings
from hypothesis import strategies as st

from signer.domain.accounts import AccountId
from signer.domain.errors import RejectedError
from signer.domain.reasons import DenyReason
from signer.domain.rotation import ROTATION_CLIENT
from signer.domain.slots import TransactionKind
from signer.domain.time import UnixMs
from signer.domain.transactions import ClientName, IdempotencyKey, TransactionId
from signer.service.approvals.approval import Approval, Wanted
from signer.service.approvals.approvals import Approvals
from tests.fakes.clock import FakeClock
from tests.fakes.fake_device import FakeDevice
from tests.fakes.policies import ACCOUNT, NOW

DRAINING = AccountId(f"eip155:1:0x{'22' * 20}")
CLIENTS = (ClientName("spiffe://test/a"), ClientName("spiffe://test/b"), ROTATION_CLIENT)
ACTS = st.lists(
    st.one_of(
        st.tuples(st.just("ask"), st.integers(0, len(CLIENTS) - 1)),
        st.tuples(st.sampled_from(["give up", "cancel"]), st.integers(0, 40)),
        st.tuples(st.sampled_from(["press", "look"]), st.just(0)),
    ),
    max_size=60,
)


@dataclass
class Queue:
    """Requests that hold their turn until somebody presses."""

    device: FakeDevice = field(default_factory=FakeDevice)
    approvals: Approvals = field(default_factory=lambda: Approvals(clock=FakeClock(NOW)))
    asked: list[tuple[Wanted, "asyncio.Task[None]"]] = field(default_factory=list)
    before: list[ClientName] = field(default_factory=list)
    pressed: asyncio.Event = field(default_factory=asyncio.Event)

    def ask(self, client: ClientName) -> None:
        wanted = Wanted(
            id=TransactionId(f"{len(self.asked):032x}"),
            account=DRAINING if client == ROTATION_CLIENT else ACCOUNT,
            wallet="hot",
            client=client,
            idempotency_key=IdempotencyKey("k" * 16),
            method="SignEvmTransaction",
            kind=TransactionKind.ORIGINAL,
            device=self.device,
            asked_at=UnixMs(NOW),
            ends_at=UnixMs(NOW + 90_000),
            policy_hash="",
        )
        self.asked.append((wanted, asyncio.ensure_future(self._wait(wanted))))

    async def _wait(self, wanted: Wanted) -> None:
        with self.approvals.entered(wanted) as approval:
            async with self.approvals.turn(approval):
                await self._before_the_person(approval)

    async def _before_the_person(self, approval: Approval) -> None:
        self.before.append(approval.wanted.client)
        try:
            assert len(self.before) == 1
            self.pressed.clear()
            await approval.unless_over(_pressed(self.pressed))
        finally:
            self.before.remove(approval.wanted.client)

    async def settled(self) -> None:
        for _ in range(12):
            await asyncio.sleep(0)


async def _pressed(pressed: asyncio.Event) -> None:
    await pressed.wait()


@settings(max_examples=200, deadline=None)
@given(acts=ACTS)
def test_the_turn_is_one_and_goes_on_to_whoever_was_served_longest_ago(acts: list[tuple[str, int]]) -> None:
    asyncio.run(_play(acts))


async def _play(acts: list[tuple[str, int]]) -> None:
    queue = Queue()
    for act, number in acts:
        match act:
            case "ask":
                queue.ask(CLIENTS[number])
            case "give up" if queue.asked:
                wanted, _ = queue.asked[number % len(queue.asked)]
                approval = queue.approvals.find(wanted.id)
                if approval is not None:
                    approval.end(RejectedError(DenyReason.GIVEN_UP, "given up"))
            case "cancel" if queue.asked:
                queue.asked[number % len(queue.asked)][1].cancel()
            case "press":
                await _press(queue)
            case _:
                await queue.settled()
    for _ in queue.asked:
        await _press(queue)
    await asyncio.gather(*(task for _, task in queue.asked), return_exceptions=True)
    assert all(
        isinstance(_end(task), RejectedError | asyncio.CancelledError | None) for _, task in queue.asked
    )
    assert queue.approvals.waiting() == ()


async def _press(queue: Queue) -> None:
    await queue.settled()
    waiting = {view.wanted.client for view in queue.approvals.waiting()}
    assert bool(waiting) == bool(queue.before)  # somebody waits, somebody is served
    served = list(queue.before)
    left = [view.wanted.client for view in queue.approvals.waiting()]
    queue.pressed.set()
    await queue.settled()
    if queue.before and len(set(left)) > 1:
        if left.count(ROTATION_CLIENT) > served.count(ROTATION_CLIENT):
            assert queue.before == [ROTATION_CLIENT]
        else:
            assert queue.before != served or set(left) - set(served) <= {ROTATION_CLIENT}


def _end(task: "asyncio.Task[None]") -> BaseException | None:
    return asyncio.CancelledError() if task.cancelled() else task.exception()
