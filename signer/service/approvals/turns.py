"""Who is before the person of one device, and who comes next. Lets no client keep others or a drain waiting.

A drain goes first; then the client that was served longest ago, each with what it asked first.
"""

import asyncio
from collections.abc import Iterable, Mapping

from signer.domain.rotation import ROTATION_CLIENT
from signer.domain.transactions import ClientName
from signer.service.approvals.approval import Approval


class Turns:
    """The queue before one device. Lives in one event loop; no lock is needed."""

    def __init__(self) -> None:
        self._holder: Approval | None = None
        self._given: dict[Approval, asyncio.Future[None]] = {}
        self._served: dict[ClientName, int] = {}

    def join(self, approval: Approval) -> None:
        """Queue; the turn is given at once where nobody has it. Whoever joins leaves, however it ends."""
        self._given[approval] = asyncio.get_running_loop().create_future()
        self._give()

    async def given(self, approval: Approval) -> None:
        """Wait until it has the turn."""
        await self._given[approval]

    def leave(self, approval: Approval) -> None:
        """Out of the queue; the turn goes on to the next."""
        del self._given[approval]
        if self._holder is approval:
            self._holder = None
            self._give()

    def in_order(self) -> tuple[Approval, ...]:
        """Who has the turn, then who comes next, as it will be if nobody else asks."""
        left, served = [each for each in self._given if each is not self._holder], dict(self._served)
        order = [] if self._holder is None else [self._holder]
        while left:
            following = _next(left, served)
            left.remove(following)
            served[following.wanted.client] = _latest(served) + 1
            order.append(following)
        return tuple(order)

    def _give(self) -> None:
        if self._holder is not None or not self._given:
            return
        self._holder = _next(self._given, self._served)
        self._served[self._holder.wanted.client] = _latest(self._served) + 1
        given = self._given[self._holder]
        if not given.done():  # one that was cancelled in this moment leaves, and so hands it on
            given.set_result(None)


def _next(waiting: Iterable[Approval], served: Mapping[ClientName, int]) -> Approval:
    def rank(approval: Approval) -> tuple[bool, int]:
        client = approval.wanted.client
        return client != ROTATION_CLIENT, served.get(client, 0)

    return min(waiting, key=rank)  # the first of several


def _latest(served: Mapping[ClientName, int]) -> int:
    return max(served.values(), default=0)
