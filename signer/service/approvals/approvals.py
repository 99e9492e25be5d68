"""The queues before the devices, one for each, and everything that watches or ends what waits there."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass

from signer.domain.accounts import AccountId
from signer.domain.errors import PreconditionError, SignerError, UnavailableError
from signer.domain.reasons import FailReason
from signer.domain.rotation import ROTATION_CLIENT
from signer.domain.time import UnixMs
from signer.domain.transactions import TransactionId
from signer.ports.clock import Clock
from signer.ports.device import DevicePhase
from signer.ports.key_backend import AttendedBackend
from signer.service.approvals.approval import Approval, ApprovalView, Wanted
from signer.service.approvals.turns import Turns

WAITING_MAX = 32
"""Requests of one client that may wait for one device. A person takes tens of seconds for each."""

OUTCOMES_KEPT = 50
_PHASES_KEPT = 1_024


@dataclass(frozen=True, slots=True, kw_only=True)
class ApprovalOutcome:
    """What became of a request. `verdict` is "signed", "denied" or "failed"; `reasons` are codes."""

    wanted: Wanted
    summary: str
    verdict: str
    reasons: tuple[str, ...]
    message: str
    at: UnixMs


class Approvals:
    """Everything that waits for a person. Remembers nothing over a restart: a crash releases its slots."""

    def __init__(self, *, clock: Clock) -> None:
        self._clock = clock
        self._waiting: dict[TransactionId, Approval] = {}
        self._turns: dict[int, Turns] = {}
        self._outcomes: deque[ApprovalOutcome] = deque(maxlen=OUTCOMES_KEPT)
        self._phases: set[asyncio.Queue[ApprovalView]] = set()
        self._bells: set[asyncio.Event] = set()
        self._closing = False

    def waiting(self) -> tuple[ApprovalView, ...]:
        """All that wait: those before a person first, then in the order in which they came."""
        views = [approval.view() for approval in self._waiting.values()]
        return tuple(sorted(views, key=lambda view: view.phase is DevicePhase.QUEUED))

    def outcomes(self) -> tuple[ApprovalOutcome, ...]:
        """What was decided lately, newest first."""
        return tuple(reversed(self._outcomes))

    def find(self, transaction: TransactionId) -> Approval | None:
        """The request that would become this transaction, while it waits."""
        return self._waiting.get(transaction)

    def end_all_of(self, account: AccountId, why: SignerError) -> None:
        """Let everything of an account end, because it does not sign any more."""
        for approval in tuple(self._waiting.values()):
            if approval.wanted.account == account:
                approval.end(why)

    def close(self) -> None:
        """Let everything end, and refuse what comes: the signer shuts down."""
        self._closing = True
        for approval in tuple(self._waiting.values()):
            approval.end(_shutting_down())

    @contextmanager
    def entered(self, wanted: Wanted) -> Iterator[Approval]:
        """Let a request wait, until the block ends.

        Raises UnavailableError when too many of its client wait for its device, or the signer shuts down.
        """
        if self._closing:
            raise _shutting_down()
        same = [each.wanted for each in self._waiting.values() if each.wanted.device is wanted.device]
        own = sum(1 for each in same if each.client == wanted.client)
        if own >= WAITING_MAX:  # counted by client: none fills the queue of another one
            text = f"{own} requests of yours wait for {wanted.device.device} already: answer those first"
            raise UnavailableError(FailReason.DEVICE_BUSY, text)
        if wanted.client == ROTATION_CLIENT:
            self._make_way(wanted.account)
        approval = Approval(wanted, clock=self._clock, changed=self._tell)
        self._waiting[wanted.id] = approval
        approval.wait_behind(len(same))
        try:
            yield approval
        finally:
            del self._waiting[wanted.id]
            approval.conclude()
            self._count_again(wanted.device)

    @asynccontextmanager
    async def turn(self, approval: Approval) -> AsyncIterator[None]:
        """Wait until the person is free and it comes next. Raises what ends the request before."""
        turns = self._turns.setdefault(id(approval.wanted.device), Turns())
        turns.join(approval)
        try:
            self._count_again(approval.wanted.device)
            await approval.unless_over(turns.given(approval))
            yield
        finally:
            turns.leave(approval)

    def remember(self, outcome: ApprovalOutcome) -> None:
        """Keep a decision for whoever looks."""
        self._outcomes.append(outcome)
        self._ring()

    @contextmanager
    def phases(self) -> "Iterator[asyncio.Queue[ApprovalView]]":
        """Queue of every change from now on; the oldest is dropped when nobody reads."""
        queue: asyncio.Queue[ApprovalView] = asyncio.Queue(maxsize=_PHASES_KEPT)
        self._phases.add(queue)
        try:
            yield queue
        finally:
            self._phases.discard(queue)

    @contextmanager
    def bell(self) -> Iterator[asyncio.Event]:
        """Event that is set after every change; whoever waits for it clears it and looks at everything."""
        event = asyncio.Event()
        self._bells.add(event)
        try:
            yield event
        finally:
            self._bells.discard(event)

    def _make_way(self, account: AccountId) -> None:
        """What clients want of an account that drains would only use up the time of the drain's step."""
        text = f"{account} is being rotated out, and a step of its drain needs the person: ask again later"
        for approval in tuple(self._waiting.values()):
            if approval.wanted.account == account and approval.wanted.client != ROTATION_CLIENT:
                approval.end(PreconditionError(FailReason.ACCOUNT_DRAINING, text))

    def _count_again(self, device: AttendedBackend) -> None:
        turns = self._turns.get(id(device))
        for before, approval in enumerate(() if turns is None else turns.in_order()):
            if approval.phase is DevicePhase.QUEUED:
                approval.wait_behind(before)

    def _tell(self, approval: Approval) -> None:
        view = approval.view()
        for queue in self._phases:
            if queue.full():
                queue.get_nowait()
            queue.put_nowait(view)
        self._ring()

    def _ring(self) -> None:
        for event in self._bells:
            event.set()


def _shutting_down() -> UnavailableError:
    return UnavailableError(FailReason.SHUTTING_DOWN, "the signer is shutting down; ask again later")
