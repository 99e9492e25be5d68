"""One flush for everybody who waits: group commit of ledger and audit. Never answers before the flush.

Members are staged in the event loop's thread and only the blocking flush (COMMIT, fdatasync) runs in a thread
of its own. Staging in that thread too would be slower: every statement gives up the GIL, and a busy loop
gives it back only after a switch interval (ADR 0010). How long a batch waits for company: ADR 0061.
"""

import asyncio
import threading
from collections import deque
from collections.abc import Callable, Sequence
from queue import SimpleQueue
from typing import Generic, Protocol, TypeVar

from signer.domain.errors import BrokenError, OverloadedError, SignerError, UnavailableError
from signer.domain.reasons import FailReason

MAX_BATCH = 128
GATHER_S = 0.004
"""How long a batch waits at most for as many as are expected; who was alone last time never waits."""

GATHERED = 32
"""More than these are not waited for."""

PROBE_EVERY = 8
"""Every so many batches it is tried whether twice as many would come."""

MAX_WAITING = 8192


class Member(Protocol):
    """One piece of work with somebody waiting for it."""

    def resolve(self) -> None:
        """The flush is done: answer with what staging gave, result or error."""
        ...

    def reject(self, error: SignerError) -> None:
        """The flush did not happen: answer with the error."""
        ...


M = TypeVar("M", bound=Member)
M_contra = TypeVar("M_contra", bound=Member, contravariant=True)


class Store(Protocol[M_contra]):
    """What is written to."""

    def stage(self, members: Sequence[M_contra]) -> None:
        """Do the work up to the flush, in the loop's thread. Raises SignerError when none of it was done."""
        ...

    def flush(self) -> None:
        """Make everything staged durable; blocks, in the flushing thread. Raises SignerError."""
        ...

    def flushed(self) -> None:
        """A flush succeeded; in the loop's thread, before anybody is answered."""
        ...

    def abandon(self) -> None:
        """A flush failed: forget what was staged, in the loop's thread. Must not raise."""
        ...


class GroupCommit(Generic[M]):
    """Takes members in order, stages all that wait, flushes once, answers all. Lives in one loop."""

    def __init__(self, store: Store[M], *, name: str, unavailable: FailReason) -> None:
        self._store = store
        self._name = name
        self._unavailable = unavailable
        self._waiting: deque[M] = deque()
        self._staged: list[M] = []
        self._busy = False
        self._gathering: asyncio.TimerHandle | None = None
        self._expected = Expected()
        self._closing = False
        self._idle = asyncio.Event()
        self._idle.set()
        self._flusher = _Flusher(name)

    def start(self) -> None:
        """Start the flushing thread."""
        self._flusher.start(asyncio.get_running_loop())

    async def close(self) -> None:
        """Refuse new members, finish those that wait, end the thread."""
        self._closing = True
        await self._idle.wait()
        self._flusher.stop()

    def add(self, member: M) -> None:
        """Queue a member. It runs even if nobody waits for it any more."""
        if self._closing:
            raise UnavailableError(FailReason.SHUTTING_DOWN, f"the {self._name} is closing")
        if len(self._waiting) >= MAX_WAITING:
            raise OverloadedError(f"the {self._name} has {MAX_WAITING} pieces of work waiting")
        self._waiting.append(member)
        if self._gathering is not None and len(self._waiting) >= self._expected.count:
            self._gathering.cancel()
            self._gathering = None
            asyncio.get_running_loop().call_soon(self._stage)
        self._schedule()

    def _schedule(self) -> None:
        if self._busy:
            return
        self._busy = True
        self._idle.clear()
        loop = asyncio.get_running_loop()
        # A flush costs as much for one as for many. Under load, waiting a little for others makes everybody
        # faster; for more than ever come, it would only make them slow.
        if len(self._waiting) < self._expected.count:
            self._gathering = loop.call_later(GATHER_S, self._stage)
        else:
            # Not at once: everybody whose turn it is in this round of the loop joins the same batch.
            loop.call_soon(self._stage)

    def _stage(self) -> None:
        self._gathering = None
        count = min(MAX_BATCH, len(self._waiting))
        self._expected.learn(count)
        self._staged = [self._waiting.popleft() for _ in range(count)]
        try:
            self._store.stage(self._staged)
        except SignerError as error:
            self._finish(error)
        except Exception as bug:
            # A mistake of ours is still raised, but it must not leave everybody waiting for ever.
            self._store.abandon()
            self._finish(BrokenError(FailReason.BROKEN, f"the {self._name} is broken: {type(bug).__name__}"))
            raise
        else:
            self._flusher.run(self._store.flush, self._flushed)

    def _flushed(self, error: BaseException | None) -> None:
        if error is None:
            try:
                self._store.flushed()
            finally:
                # Durable is durable, whatever goes wrong afterwards.
                self._finish(None)
            return
        self._store.abandon()
        if not isinstance(error, SignerError):
            message = f"the {self._name} could not be written: {type(error).__name__}: {error}"
            error = UnavailableError(self._unavailable, message)
        self._finish(error)

    def _finish(self, error: SignerError | None) -> None:
        staged, self._staged = self._staged, []
        for member in staged:
            if error is None:
                member.resolve()
            else:
                member.reject(error)
        self._busy = False
        if self._waiting:
            self._schedule()
        else:
            self._idle.set()


class Expected:
    """How many a batch waits for: as many as came last time, now and then twice as many."""

    def __init__(self) -> None:
        self.count = 1
        self._batches = 0

    def learn(self, came: int) -> None:
        """A batch of this size goes now."""
        self._batches += 1
        probes = came > 1 and self._batches % PROBE_EVERY == 0
        self.count = min(GATHERED, 2 * came if probes else came)


_Job = Callable[[], None]
_Done = Callable[[BaseException | None], None]


class _Flusher:
    """A thread that runs one blocking job after the other and reports each to the loop."""

    def __init__(self, name: str) -> None:
        self._jobs: SimpleQueue[tuple[_Job, _Done] | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._run, name=f"{name}-flush", daemon=True)
        self._loop: asyncio.AbstractEventLoop | None = None

    def start(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._thread.start()

    def run(self, job: _Job, done: _Done) -> None:
        self._jobs.put((job, done))

    def stop(self) -> None:
        self._jobs.put(None)
        self._thread.join()

    def _run(self) -> None:
        assert self._loop is not None  # noqa: S101 - `start` sets it before the thread runs
        while (task := self._jobs.get()) is not None:
            job, done = task
            error: BaseException | None = None
            try:
                job()
            except BaseException as raised:  # noqa: BLE001 - left in this thread it would hang every waiter
                error = raised
            self._loop.call_soon_threadsafe(done, error)
