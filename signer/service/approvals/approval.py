"""One request that waits for a person: how far it is, and the one end that it comes to.

Whatever ends it first wins: the person, the time, the client who gives it up, the operator, a pause, a
shutdown. A signature that comes after any of these is destroyed.
"""

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import TypeVar

from signer.domain.accounts import AccountId
from signer.domain.errors import RejectedError, SignerError
from signer.domain.reasons import DenyReason
from signer.domain.slots import TransactionKind
from signer.domain.time import MS_PER_S, UnixMs
from signer.domain.transactions import ClientName, IdempotencyKey, TransactionId
from signer.ports.clock import Clock
from signer.ports.device import DevicePhase, DeviceProgress, Screen
from signer.ports.key_backend import AttendedBackend
from signer.service.approvals.brief import Brief

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What is to be approved. `ends_at`: until then a person may confirm, the time in the queue included."""

    id: TransactionId
    account: AccountId
    wallet: str
    client: ClientName
    idempotency_key: IdempotencyKey
    method: str
    kind: TransactionKind
    device: AttendedBackend
    asked_at: UnixMs
    ends_at: UnixMs
    policy_hash: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ApprovalView:
    """A request as it is now. `nonce` and `screens` are there once its turn has come."""

    wanted: Wanted
    phase: DevicePhase
    message: str
    nonce: int | None
    screens: tuple[Screen, ...]
    brief: Brief | None


class Approval:
    """Lives in the event loop, from the question to its end."""

    def __init__(self, wanted: Wanted, *, clock: Clock, changed: Callable[["Approval"], None]) -> None:
        """`changed` is told after every change; it must not block."""
        self.wanted = wanted
        self._clock = clock
        self._changed = changed
        self._phase = DevicePhase.QUEUED
        self._message = ""
        self._nonce: int | None = None
        self._screens: tuple[Screen, ...] = ()
        self._brief: Brief | None = None
        self._end: asyncio.Future[SignerError] = asyncio.get_running_loop().create_future()
        self._over = asyncio.Event()

    @property
    def phase(self) -> DevicePhase:
        """Where it stands."""
        return self._phase

    def view(self) -> ApprovalView:
        """How it is now."""
        return ApprovalView(
            wanted=self.wanted,
            phase=self._phase,
            message=self._message,
            nonce=self._nonce,
            screens=self._screens,
            brief=self._brief,
        )

    def explain(self, brief: Brief) -> None:
        """Say what it is about."""
        self._brief = brief
        self._changed(self)

    def show(self, nonce: int, screens: tuple[Screen, ...]) -> None:
        """Its turn has come: what the device will show."""
        self._nonce, self._screens = nonce, screens
        self._changed(self)

    def watch(self, progress: DeviceProgress) -> None:
        """Take over how far the device is. That a dialog ended is no news: its answer is."""
        if progress.phase is DevicePhase.ENDED or self._phase is DevicePhase.ENDED:
            return
        self._move(progress.phase, progress.message)

    def wait_behind(self, others: int) -> None:
        """Say how many are before it."""
        self._move(DevicePhase.QUEUED, f"{others} before this one" if others else "next")

    def end(self, why: SignerError) -> bool:
        """Let it end with this error, unless it has ended or was confirmed durably already."""
        if self._end.done():
            return False
        self._end.set_result(why)
        return True

    def conclude(self) -> None:
        """It is over: no later `end` has an effect."""
        self._end.cancel()
        self._over.set()
        self._move(DevicePhase.ENDED, "")

    async def over(self) -> None:
        """Wait until it is concluded: its slot is signed or given back."""
        await self._over.wait()

    def require_wanted(self) -> None:
        """Raise what ended it, if anything did. The last look before a signature becomes durable."""
        if self._end.done() and not self._end.cancelled():
            raise self._end.result()
        if self._clock.now() >= self.wanted.ends_at:
            raise self._late()

    async def unless_over(self, work: Coroutine[None, None, T]) -> T:
        """Result of `work`, which is cancelled when the request ends before it.

        Raises what `work` raises, or what ended the request; RejectedError when its time is up.
        """
        task = asyncio.ensure_future(work)
        left_s = max(0, self.wanted.ends_at - self._clock.now()) / MS_PER_S
        try:
            either: set[asyncio.Future[T] | asyncio.Future[SignerError]] = {task, self._end}
            await asyncio.wait(either, timeout=left_s, return_when=asyncio.FIRST_COMPLETED)
            if not self._end.done() and task.done():
                return task.result()
            self.require_wanted()
            raise self._late()
        finally:
            await _cancelled(task)

    def _late(self) -> RejectedError:
        given_s = (self.wanted.ends_at - self.wanted.asked_at) // MS_PER_S
        text = f"nobody confirmed on {self.wanted.device.device} within {given_s} s"
        return RejectedError(DenyReason.NOT_CONFIRMED_IN_TIME, text)

    def _move(self, phase: DevicePhase, message: str) -> None:
        if (phase, message) != (self._phase, self._message):
            self._phase, self._message = phase, message
            self._changed(self)


async def _cancelled(task: "asyncio.Future[T]") -> None:
    """Wait until the work has really ended: its device is clean, or known not to be."""
    if task.done():
        if not task.cancelled():
            task.exception()  # retrieved here; the request's own end is what counts
        return
    task.cancel()
    await asyncio.wait({task})
    if not task.cancelled():
        task.exception()
