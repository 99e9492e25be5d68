"""The signer at the other end: what it says, as it comes, and what it is told. Connects again by itself."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, aclosing
from dataclasses import dataclass
from typing import Protocol, TypeAlias, assert_never

from signer.api.refused import RefusedError
from signer.api.seen import SeenPicture
from signer.cli.console.acts import Act, Dismiss, Pause, Resume
from signer.domain.errors import UnavailableError

SILENT_S = 12.0
"""The signer speaks every 5 s. One that was silent for so long is out of reach, whatever TCP says."""
_AGAIN_AFTER_S = 1.0


class Signer(Protocol):
    """What the console needs of an AdminClient. Every method raises RefusedError or UnavailableError."""

    def watch_approvals(self) -> AsyncGenerator[SeenPicture]:
        """Pictures, until the signer or the connection ends them."""
        ...

    async def pause(self, account: str, reason: str) -> tuple[str, ...]:
        """Accounts that are paused now."""
        ...

    async def resume(self, account: str) -> tuple[str, ...]:
        """Accounts that are still paused."""
        ...

    async def dismiss_approval(self, approval_id: str, reason: str) -> bool:
        """Whether it still waited."""
        ...


Connect: TypeAlias = Callable[[], AbstractAsyncContextManager[Signer]]


@dataclass(frozen=True, slots=True)
class Lost:
    """The connection is not there, and why."""

    problem: str


News: TypeAlias = SeenPicture | Lost


class Link:
    """One signer."""

    def __init__(self, connect: Connect) -> None:
        self._connect = connect

    async def news(self) -> AsyncGenerator[News]:
        """Pictures and losses, for ever. Raises RefusedError when the signer refuses the very first time."""
        seen_before = False
        while True:
            try:
                async with self._connect() as client, aclosing(client.watch_approvals()) as pictures:
                    while True:
                        async with asyncio.timeout(SILENT_S):
                            picture = await anext(pictures)
                        seen_before = True
                        yield picture
            except TimeoutError:
                yield Lost(f"the signer has said nothing for {SILENT_S:.0f} s")
            except StopAsyncIteration:
                yield Lost("the signer ended the connection")
            except UnavailableError as error:
                yield Lost(str(error))
            except RefusedError as error:
                if not seen_before:
                    raise
                yield Lost(str(error))
            await asyncio.sleep(_AGAIN_AFTER_S)

    async def do(self, act: Act) -> str:
        """What came of it, for people. A connection of its own: it works while the other one is stuck."""
        try:
            async with self._connect() as client:
                return await _done(client, act)
        except (UnavailableError, RefusedError) as error:
            return f"NOT DONE: {error}"


async def _done(client: Signer, act: Act) -> str:
    match act:
        case Dismiss():
            dismissed = await client.dismiss_approval(act.approval, act.reason)
            return f"Request {act.approval[:8]} {'is dismissed' if dismissed else 'did not wait any more'}."
        case Pause():
            return _paused(await client.pause(act.account, act.reason))
        case Resume():
            return _paused(await client.resume(act.account))
        case _ as never:
            assert_never(never)


def _paused(accounts: tuple[str, ...]) -> str:
    return f"Paused now: {', '.join(accounts)}." if accounts else "No account is paused now."
