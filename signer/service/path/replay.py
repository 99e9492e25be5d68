"""Step 1: the same key and content get the same answer, whether it is still being worked on or long done.

Work runs in a task of its own: when the client's deadline passes, gRPC cancels the handler, and only the
answer is lost.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from signer.domain.decisions import Denied
from signer.domain.errors import KeyReusedError, UnavailableError
from signer.domain.reasons import FailReason
from signer.domain.records import TransactionRecord
from signer.domain.slots import SlotState
from signer.domain.transactions import ClientName, IdempotencyKey
from signer.ports.clock import Clock
from signer.ports.ledger import Ledger

Answer = TransactionRecord | Denied
Work = Callable[[], Awaitable[Answer]]


@dataclass(frozen=True, slots=True)
class _Flight:
    digest: str
    task: "asyncio.Task[Answer]"


class Replay:
    """Runs each (client, key) at most once at a time and answers repetitions from the ledger."""

    def __init__(self, *, ledger: Ledger, clock: Clock) -> None:
        self._ledger = ledger
        self._clock = clock
        self._flights: dict[tuple[ClientName, IdempotencyKey], _Flight] = {}
        self._closing = False

    async def once(self, client: ClientName, key: IdempotencyKey, digest: str, work: Work) -> Answer:
        """Answer of `work`, or the earlier answer to the same key. Raises KeyReusedError on other content."""
        name = (client, key)
        flight = self._flights.get(name)
        if flight is None:
            if self._closing:
                raise UnavailableError(
                    FailReason.SHUTTING_DOWN, "the signer is shutting down; ask again later"
                )
            task = asyncio.create_task(self._answer(client, key, digest, work))
            flight = self._flights[name] = _Flight(digest, task)
            task.add_done_callback(lambda done: self._land(name, done))
        elif flight.digest != digest:
            raise _reused(key)
        return await asyncio.shield(flight.task)

    def works_on(self, client: ClientName, key: IdempotencyKey) -> bool:
        """Whether a question with this key has no answer yet."""
        return (client, key) in self._flights

    async def drain(self) -> None:
        """Refuse new work and wait for what is in flight."""
        self._closing = True
        while self._flights:
            await asyncio.wait([flight.task for flight in self._flights.values()])

    async def _answer(self, client: ClientName, key: IdempotencyKey, digest: str, work: Work) -> Answer:
        known = await self._ledger.find(client, key)
        if known is not None:
            if known.request_digest != digest:
                raise _reused(key)
            if known.state is not SlotState.RESERVED:
                return known
            # Its task ended without being able to release it (the ledger was away): no signature ever left.
            await self._ledger.release(known.id, self._clock.now())
        return await work()

    def _land(self, name: tuple[ClientName, IdempotencyKey], done: "asyncio.Task[Answer]") -> None:
        del self._flights[name]
        if not done.cancelled():
            done.exception()  # retrieved here, because the client that would have heard it may be gone


def _reused(key: IdempotencyKey) -> KeyReusedError:
    return KeyReusedError(f"idempotency key {key!r} was used before with other content; make a new key")
