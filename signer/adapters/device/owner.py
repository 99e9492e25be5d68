"""One thread owns one device: a queue before it, a lock file around it. Refuses a second owner, a long queue.

A session of the device is blocking code that this thread alone runs, so no two requests ever mix on the wire.
"""

import asyncio
import contextlib
import queue
import threading
from collections.abc import Awaitable, Callable
from concurrent.futures import wait
from functools import partial
from pathlib import Path
from typing import Generic, Protocol, TypeVar

from signer.adapters.device.deadline import Deadline
from signer.adapters.device.lock import DeviceLock
from signer.adapters.device.states import DeviceState
from signer.domain.errors import SignerError, UnavailableError
from signer.domain.reasons import FailReason
from signer.ports.device import DevicePhase, DeviceProgress, Watch

QUEUE_MAX = 64
"""Requests that may wait for one device. A person takes tens of seconds for each."""

_DRAIN_SLICE_MS = 50
_MAKE_SLICE_S = 0.05


class DeviceSession(Protocol):
    """What the thread drives. Only `state` and `detail` may be read by others."""

    @property
    def state(self) -> DeviceState:
        """Cached; asking touches no device."""
        ...

    @property
    def detail(self) -> str:
        """What it last said of itself: model, firmware, application. Empty until it was there once."""
        ...

    def drain(self, ms: int) -> None:
        """While DRAINING: wait this long for the late answer, destroy it, leave the state. Raises nothing."""
        ...

    def close(self) -> None:
        """Drop the connection: GONE. The next request makes a new one."""
        ...


SessionT = TypeVar("SessionT", bound=DeviceSession)
T = TypeVar("T")


class GivenUpError(Exception):
    """Work ended because its caller is gone. Nobody is left to hear it."""


class Ticket:
    """One request on its way: whether somebody still waits for it, and how it tells them how far it is."""

    def __init__(self, watch: Watch | None, loop: asyncio.AbstractEventLoop) -> None:
        self._watch = watch
        self._loop = loop
        self._given_up = threading.Event()

    @property
    def given_up(self) -> bool:
        """The caller was cancelled or the owner closes: end the person's dialog, destroy what still comes."""
        return self._given_up.is_set()

    def give_up(self) -> None:
        """Nobody waits any more."""
        self._given_up.set()

    def tell(self, phase: DevicePhase, message: str = "") -> None:
        """Tell the watcher, in its event loop."""
        if self._watch is not None and not self.given_up:
            progress = DeviceProgress(phase=phase, message=message)
            post(self._loop, partial(self._watch, progress))

    def make(self, make: Callable[[], Awaitable[T]], *, within_ms: int) -> T:
        """Have the event loop make what is to be signed, while the device waits. For the owner's thread only.

        Raises what `make` raises, UnavailableError when it takes longer than `within_ms`, and GivenUpError
        when nobody waits any more. What is made later than that is destroyed.
        """
        making = _awaited(make)
        try:
            made = asyncio.run_coroutine_threadsafe(making, self._loop)
        except RuntimeError:  # a loop that has ended has nobody who waits
            making.close()
            raise GivenUpError from None
        deadline = Deadline(within_ms)
        while not wait((made,), timeout=_MAKE_SLICE_S).done:
            if self.given_up or deadline.left_ms() == 0:
                made.cancel()
                break
        if made.cancelled():
            raise GivenUpError if self.given_up else _made_too_late(within_ms)
        return made.result()


class DeviceOwner(Generic[SessionT]):
    """Runs work on a device, one piece at a time and in order. Close it with `aclose`."""

    def __init__(self, session: SessionT, *, name: str, lock_file: Path) -> None:
        """`name` is how messages call the device."""
        self._session = session
        self._name = name
        self._lock = DeviceLock(lock_file)
        self._waiting: queue.SimpleQueue[_Errand | None] = queue.SimpleQueue()
        self._open: set[Ticket] = set()
        self._thread: threading.Thread | None = None
        self._closed = False

    @property
    def state(self) -> DeviceState:
        """Cached state; asking touches no device."""
        return self._session.state

    @property
    def detail(self) -> str:
        """What the device last said of itself, for people; asking touches no device."""
        return self._session.detail

    @property
    def pending(self) -> int:
        """Requests that wait or run."""
        return len(self._open)

    async def run(self, work: Callable[[SessionT, Ticket], T], watch: Watch | None = None) -> T:
        """Run `work` in the owner's thread when its turn comes.

        Raises what it raises, and UnavailableError (DEVICE_BUSY) when too many wait, when the answer of an
        earlier request is still awaited, or when another process has the device. When this call is cancelled,
        the ticket is given up; a result that comes later is destroyed.
        """
        if self._closed:
            raise UnavailableError(FailReason.SHUTTING_DOWN, f"{self._name} is being closed")
        if len(self._open) >= QUEUE_MAX:
            text = f"{QUEUE_MAX} requests wait for {self._name} already: answer those first"
            raise UnavailableError(FailReason.DEVICE_BUSY, text)
        loop = asyncio.get_running_loop()
        ticket, result = Ticket(watch, loop), loop.create_future()
        self._open.add(ticket)
        if self._session.state in {DeviceState.REVIEWING, DeviceState.DRAINING} or len(self._open) > 1:
            ticket.tell(DevicePhase.QUEUED, f"{len(self._open) - 1} before this one at {self._name}")
        self._waiting.put(_Errand(lambda: work(self._session, ticket), ticket, loop, result))
        self._begin()
        try:
            return await result  # type: ignore[no-any-return]  # a future of what `work` returns
        finally:
            ticket.give_up()
            self._open.discard(ticket)

    async def aclose(self) -> None:
        """Give up what runs, close the device, release the lock. Requests that wait hear SHUTTING_DOWN."""
        self._closed = True
        for ticket in tuple(self._open):
            ticket.give_up()
        self._waiting.put(None)
        if self._thread is not None:
            await asyncio.to_thread(self._thread.join)

    def _begin(self) -> None:
        if self._thread is None:
            self._thread = threading.Thread(target=self._serve, name=f"owner of {self._name}", daemon=True)
            self._thread.start()

    def _serve(self) -> None:
        try:
            while (errand := self._next()) is not None:
                self._do(errand)
        finally:
            self._session.close()
            self._lock.release()

    def _next(self) -> "_Errand | None":
        while self._session.state is DeviceState.DRAINING:
            with contextlib.suppress(queue.Empty):
                return self._waiting.get_nowait()
            self._session.drain(_DRAIN_SLICE_MS)
        return self._waiting.get()

    def _do(self, errand: "_Errand") -> None:
        try:
            self._make_ready(errand.ticket)
            errand.succeed(errand.work())
        except GivenUpError:
            errand.fail(self._closing())
        except SignerError as error:
            errand.fail(error)
        except Exception as error:  # noqa: BLE001 - supervision: the thread lives on, the caller hears it
            self._session.close()
            errand.fail(error)

    def _make_ready(self, ticket: Ticket) -> None:
        if ticket.given_up:
            raise GivenUpError
        self._lock.take()
        self._session.drain(0)
        if self._session.state is DeviceState.DRAINING:
            raise UnavailableError(FailReason.DEVICE_BUSY, still_shows(self._name))

    def _closing(self) -> UnavailableError:
        return UnavailableError(FailReason.SHUTTING_DOWN, f"{self._name} is being closed")


class _Errand:
    """Work with its ticket and where its end is told."""

    def __init__(
        self,
        work: Callable[[], object],
        ticket: Ticket,
        loop: asyncio.AbstractEventLoop,
        result: "asyncio.Future[object]",
    ) -> None:
        self.work = work
        self.ticket = ticket
        self._loop = loop
        self._result = result

    def succeed(self, value: object) -> None:
        post(self._loop, partial(self._end, value, None))

    def fail(self, error: Exception) -> None:
        post(self._loop, partial(self._end, None, error))

    def _end(self, value: object, error: Exception | None) -> None:
        if self._result.done():  # the caller is gone; what came is destroyed with this frame
            return
        if error is None:
            self._result.set_result(value)
        else:
            self._result.set_exception(error)


def post(loop: asyncio.AbstractEventLoop, call: Callable[[], object]) -> None:
    """Call in the loop, in order; a loop that has ended has nobody who waits."""
    with contextlib.suppress(RuntimeError):
        loop.call_soon_threadsafe(call)


def still_shows(device: str) -> str:
    """What to do with a device that is DRAINING."""
    return f"{device} still shows a request that was given up: end it there (reject it), or unplug the device"


async def _awaited(make: Callable[[], Awaitable[T]]) -> T:
    return await make()


def _made_too_late(within_ms: int) -> UnavailableError:
    text = (
        f"what the device is to sign was not made within {within_ms / 1_000} s; nothing was shown: ask anew"
    )
    return UnavailableError(FailReason.CHAIN_UNREACHABLE, text)
