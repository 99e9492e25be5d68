"""The queues before the devices, one for each, and everything that watches or ends what waits there."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass

from signer.domain.accounts import AccountId
from signer.domain.errors import SignerError, UnavailableError
from signer.domain.reasons import FailReason
from signer.domain.rotation import ROTATION_CLIENT
from signer.domain.time import UnixMs
from signer.domain.transactions import TransactionId
from signer.ports.clock import Clock
from signer.ports.device import DevicePhase
from signer.ports.key_backend import AttendedBackend
from signer.service.approvals.approval import Approval, ApprovalView, Wanted

WAITING_MAX = 32
"""Requests that may wait for one device. A person takes tens of seconds for each."""

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
        self._turns: dict[int, asyncio.Lock] = {}
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

        Raises UnavailableError when too many wait for its device, or the signer shuts down.
        """
        if self._closing:
            raise _shutting_down()
        before = sum(1 for each in self._waiting.values() if each.wanted.device is wanted.device)
        if before >= WAITING_MAX and wanted.client != ROTATION_CLIENT:  # no client holds up a drain
            text = f"{before} requests wait for {wanted.device.device} already: answer those first"
            raise UnavailableError(FailReason.DEVICE_BUSY, text)
        approval = Approval(wanted, clock=self._clock, changed=self._tell)
        self._waiting[wanted.id] = approval
        approval.wait_behind(before)
        try:
            yield approval
        finally:
            del self._waiting[wanted.id]
            approval.conclude()
            self._count_again(wanted.device)

    @asynccontextmanager
    async def turn(self, approval: Approval) -> AsyncIterator[None]:
        """Wait until the person is free, first come, first served. Raises what ends the request before."""
        lock = self._turns.setdefault(id(approval.wanted.device), asyncio.Lock())
        taking = _Taking(lock)
        try:
            await approval.unless_over(taking.wait())
            yield
        finally:
            if taking.held:  # also when it was taken in the very moment in which the request ended
                lock.release()

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

    def backend_is_free(self, device: AttendedBackend) -> bool:
        """Whether nobody is before its person now."""
        lock = self._turns.get(id(device))
        return lock is None or not lock.locked()

    def _count_again(self, device: AttendedBackend) -> None:
        same = [each for each in self._waiting.values() if each.wanted.device is device]
        for before, approval in enumerate(same):
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


class _Taking:
    """Waits for a lock and knows whether it has it, however the waiting ended."""

    def __init__(self, lock: asyncio.Lock) -> None:
        self._lock = lock
        self.held = False

    async def wait(self) -> None:
        await self._lock.acquire()
        self.held = True


def _shutting_down() -> UnavailableError:
    return UnavailableError(FailReason.SHUTTING_DOWN, "the signer is shutting down; ask again later")
