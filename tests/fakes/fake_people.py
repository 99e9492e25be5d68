"""The people before the devices of the fake signer: each request waits until a test presses for it."""

import asyncio
from collections.abc import AsyncGenerator

from trader.domain.ids import IdempotencyKey, WalletId
from trader.ports.signer import PersonPhase, Waiting

APPROVE = "approve"


class FakePeople:
    """`asked` lists the keys in the order in which somebody was asked. `always` answers without a test.

    `unsigned`: ids of what ended without a confirmation.
    """

    def __init__(self) -> None:
        self.asked: list[IdempotencyKey] = []
        self.always: str | None = None
        self.unsigned: set[str] = set()
        self._reviews: dict[IdempotencyKey, tuple[Waiting, asyncio.Future[str]]] = {}
        self._watchers: set[asyncio.Queue[Waiting]] = set()

    async def ask(self, key: IdempotencyKey, wallet: WalletId) -> str | None:
        """None when the person approves, else the reason of the denial. The same key is the same review."""
        if key not in self._reviews:
            self.asked.append(key)
            if self.always is not None:
                return _denial(self.always)
            waiting = Waiting(
                key=key,
                wallet=wallet,
                transaction_id=f"{len(self.asked):032x}",
                phase=PersonPhase.WAITING,
                message="1 of 3 screens",
            )
            self._reviews[key] = (waiting, asyncio.get_running_loop().create_future())
            self._tell(waiting)
        return _denial(await asyncio.shield(self._reviews[key][1]))

    def waiting(self) -> list[IdempotencyKey]:
        """Keys that somebody is asked for now."""
        return list(self._reviews)

    def press(self, key: IdempotencyKey, button: str = APPROVE) -> None:
        """Answer; anything but APPROVE is the reason of a denial, or what became of the device."""
        waiting, answer = self._reviews.pop(key)
        answer.set_result(button)
        if button != APPROVE:
            self.unsigned.add(waiting.transaction_id)
        self._tell(
            Waiting(
                key=key,
                wallet=waiting.wallet,
                transaction_id=waiting.transaction_id,
                phase=PersonPhase.ENDED,
                message="",
            )
        )

    def give_up(self, transaction_id: str) -> bool:
        """End a review; False when there is none of that id."""
        for key, (waiting, _) in self._reviews.items():
            if waiting.transaction_id == transaction_id:
                self.press(key, "GIVEN_UP")
                return True
        return False

    async def phases(self) -> AsyncGenerator[Waiting, None]:
        """Everything that waits, then every change."""
        queue: asyncio.Queue[Waiting] = asyncio.Queue()
        for waiting, _ in self._reviews.values():
            queue.put_nowait(waiting)
        self._watchers.add(queue)
        try:
            while True:
                yield await queue.get()
        finally:
            self._watchers.discard(queue)

    def _tell(self, waiting: Waiting) -> None:
        for queue in self._watchers:
            queue.put_nowait(waiting)


def _denial(button: str) -> str | None:
    return None if button == APPROVE else button
