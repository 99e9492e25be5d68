"""Sixteen clients that want signatures all the time and write every answer down; refuse to give a key up.

    async with Load.on(files, "sealed") as load:
        await load.signatures(100)      # the next hundred
    load.tally().failures               # what they were told besides

When the signer is unavailable a client asks again under the same idempotency key, as the trader does; after a
denial it goes on with the next question.
"""

import asyncio
import contextlib
import itertools
import time
from collections.abc import AsyncIterator, Callable
from typing import Self

import grpc
import grpc.aio

from protos.airlock.signer.v1 import signer_pb2 as pb
from tests.e2e.asking import Asker, asking, swap
from tests.e2e.tally import SIGNED, Answer, Tally
from tests.fakes import wire
from tests.testbed.processes import until
from tests.testbed.signer_program import PolicyFigures, SignerFiles
from tests.testbed.uniswap import ETHER, USDX_UNIT

CLIENTS = 16
# What 16 clients use up in a minute or two must not end for another reason than the one under test.
GENEROUS = PolicyFigures(
    usdx_per_hour=10**6 * USDX_UNIT,
    usdx_per_day=10**6 * USDX_UNIT,
    transactions_per_minute=10**6,
    fee_per_day_wei=10**5 * ETHER,
)
# A signature from each client five times a second: what is tested is the way, not the weight.
_PAUSE_S, _AGAIN_AFTER_S = 0.2, 0.05


class Load:
    """The clients, and every answer that they got."""

    def __init__(self, files: SignerFiles, name: str) -> None:
        self._files, self._name = files, name
        self._over = asyncio.Event()
        self._numbers = itertools.count()
        self.answers: list[Answer] = []
        self.requests: dict[str, pb.SignEvmTransactionRequest] = {}  # by idempotency key, before it is asked

    @classmethod
    @contextlib.asynccontextmanager
    async def on(cls, files: SignerFiles, name: str) -> AsyncIterator[Self]:
        """Clients at work. `name` is that of their keys. At the end each waits for its answer and stops."""
        load = cls(files, name)
        async with asyncio.TaskGroup() as clients:
            for number in range(CLIENTS):
                clients.create_task(load._client(number))
            try:
                yield load
            finally:
                load._over.set()

    def tally(self, *, since: float = 0.0) -> Tally:
        """What the clients were told from `since` on (monotonic seconds)."""
        return Tally(answers=[answer for answer in self.answers if answer.at >= since])

    async def signatures(self, count: int, *, timeout_s: float = 30) -> None:
        """Wait until so many more were signed."""
        enough = len(self.tally().signed) + count
        await self._until(lambda: len(self.tally().signed) >= enough, f"{count} more signatures", timeout_s)

    async def tells_everybody(self, reason: str, *, timeout_s: float = 20) -> None:
        """Wait until every client was told this reason from now on."""
        await self._all_hear(reason, f"every client hears {reason}", timeout_s)

    async def serves_everybody(self, *, timeout_s: float = 30) -> None:
        """Wait until every client has a signature from now on."""
        await self._all_hear(SIGNED, "every client is served", timeout_s)

    async def ask_again(self, count: int) -> None:
        """The same keys once more: what was signed has one answer for ever."""
        keys = sorted({answer.key for answer in self.tally().signed})[-count:]
        async with asking(self._files) as asker:
            await asyncio.gather(*(self._ask(asker, -1, self.requests[key]) for key in keys))

    async def _client(self, number: int) -> None:
        async with asking(self._files) as asker:
            while not self._over.is_set():
                request = swap(self._files, f"{self._name}-{number:02d}-{next(self._numbers):08d}")
                self.requests[request.idempotency_key] = request
                while await self._ask(asker, number, request):  # noqa: ASYNC110 - the signer has no event for it
                    await asyncio.sleep(_AGAIN_AFTER_S)
                await asyncio.sleep(_PAUSE_S)

    async def _ask(self, asker: Asker, client: int, request: pb.SignEvmTransactionRequest) -> bool:
        """Ask, and write the answer down; returns whether to ask again."""
        asked_at, key = time.monotonic(), request.idempotency_key
        try:
            signed = await asker.sign(request)
        except grpc.aio.AioRpcError as error:
            answer = Answer(
                client=client, key=key, asked_at=asked_at, at=time.monotonic(), reason=reason_of(error)
            )
            self.answers.append(answer)
            return error.code() is not grpc.StatusCode.PERMISSION_DENIED
        self.answers.append(
            Answer(
                client=client,
                key=key,
                asked_at=asked_at,
                at=time.monotonic(),
                reason=SIGNED,
                nonce=signed.nonce,
                transaction_hash=signed.transaction_hash,
                raw=signed.raw_transaction,
            )
        )
        return False

    async def _all_hear(self, reason: str, what: str, timeout_s: float) -> None:
        now = time.monotonic()

        def heard() -> bool:
            since = self.tally(since=now).answers
            return len({answer.client for answer in since if answer.reason == reason}) == CLIENTS

        await self._until(heard, what, timeout_s)

    async def _until(self, condition: Callable[[], bool], what: str, timeout_s: float) -> None:
        async def holds() -> bool:
            return condition()

        try:
            await until(holds, what=what, timeout_s=timeout_s)
        except TimeoutError as late:
            raise AssertionError(f"{late}; the clients heard {self.tally().failures}") from None


def reason_of(error: grpc.aio.AioRpcError) -> str:
    """What the signer gave as reason; the status alone when it was not the signer who answered."""
    try:
        return "+".join(wire.reasons(error))
    except AssertionError:
        return f"grpc {error.code().name}"
