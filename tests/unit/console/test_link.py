"""The connection of the console: it comes again by itself, and an act never waits for it."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field

import pytest

from signer.api.refused import RefusedError
from signer.api.seen import SeenPicture
from signer.cli.console import link
from signer.cli.console.acts import Dismiss, Pause, Resume
from signer.cli.console.link import Link, Lost
from signer.domain.errors import UnavailableError
from signer.domain.reasons import FailReason
from signer.service import watch_approvals
from tests.fakes.console_pictures import seen_picture

AWAY = UnavailableError(FailReason.SHUTTING_DOWN, "the signer is out of reach")


@dataclass
class FakeSigner:
    """Says each of its lines once: a picture, an error, or silence."""

    lines: list[SeenPicture | Exception | None] = field(default_factory=list)
    heard: list[tuple[str, str]] = field(default_factory=list)

    async def watch_approvals(self) -> AsyncGenerator[SeenPicture]:
        while self.lines:
            line = self.lines.pop(0)
            if isinstance(line, Exception):
                raise line
            if line is None:
                await asyncio.Event().wait()
                return
            yield line

    async def pause(self, account: str, reason: str) -> tuple[str, ...]:
        self.heard.append((account, reason))
        return (account,)

    async def resume(self, account: str) -> tuple[str, ...]:
        assert account
        raise AWAY

    async def dismiss_approval(self, approval_id: str, reason: str) -> bool:
        self.heard.append((approval_id, reason))
        return False


def linked(signer: FakeSigner) -> Link:
    @asynccontextmanager
    async def connect() -> AsyncIterator[FakeSigner]:
        yield signer

    return Link(connect)


async def news(signer: FakeSigner, count: int) -> list[SeenPicture | Lost]:
    async with asyncio.timeout(60), aclosing(linked(signer).news()) as heard:
        return [await anext(heard) for _ in range(count)]


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(link, "_AGAIN_AFTER_S", 0.0)


async def test_a_signer_that_goes_away_is_asked_again() -> None:
    picture = seen_picture()

    heard = await news(FakeSigner([AWAY, picture, AWAY, picture]), 4)

    assert heard == [Lost(str(AWAY)), picture, Lost(str(AWAY)), picture]


async def test_a_stream_that_ends_is_a_loss() -> None:
    assert await news(FakeSigner([]), 1) == [Lost("the signer ended the connection")]


async def test_a_signer_that_is_silent_is_out_of_reach(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(link, "SILENT_S", 0.01)

    heard = await news(FakeSigner([None]), 1)

    assert heard == [Lost("the signer has said nothing for 0 s")]


async def test_an_operator_whom_the_signer_refuses_is_told_at_once_and_only_then_it_is_final() -> None:
    with pytest.raises(RefusedError):
        await news(FakeSigner([RefusedError("no grant")]), 1)

    later = await news(FakeSigner([seen_picture(), RefusedError("no grant")]), 2)
    assert later[1] == Lost("no grant")


@pytest.mark.parametrize(
    ("act", "said"),
    [
        (Pause(account="one", reason="drill"), "Paused now: one."),
        (Dismiss(approval="0a" * 16), "Request 0a0a0a0a did not wait any more."),
        (Resume(account="one"), "NOT DONE: the signer is out of reach"),
    ],
)
async def test_what_an_act_came_to_is_told(act: Pause | Dismiss | Resume, said: str) -> None:
    assert await linked(FakeSigner()).do(act) == said


def test_silence_is_longer_than_the_signers_longest_pause() -> None:
    assert 1_000 * link.SILENT_S > 2 * watch_approvals._AT_LEAST_EVERY_MS
