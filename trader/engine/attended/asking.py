"""Questions that a person answers. They outlive the step that asked, so that no worker waits for a person.

One call a question, as long as the person may take: between two shorter ones an answer could get lost, and
the person would be asked again. A lost process loses nothing: the same key is the same question.
"""

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import TypeVar

from trader.domain.ids import IdempotencyKey
from trader.domain.time import MS_PER_S, UnixMs
from trader.ports.signer import A_PERSON_SAID_NO, GivenUp, Refused, Signed

T = TypeVar("T", bound=Signed | Refused | GivenUp)

_MOST_KEPT = 256
"""Questions kept at most; of those above it, answers that nobody came for go first."""

REST_MS = 10 * 60 * MS_PER_S
"""A person who said no to a replacement or a cancellation is not asked for it again at once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PersonAsked:
    """No answer yet: a person is being asked."""


class Asking:
    """Lives as long as the process."""

    def __init__(self) -> None:
        self._questions: dict[IdempotencyKey, asyncio.Task[Signed | Refused | GivenUp]] = {}
        self._resting: dict[IdempotencyKey, tuple[Refused, UnixMs]] = {}

    async def answer(
        self,
        key: IdempotencyKey,
        ask: Callable[[], Coroutine[None, None, Signed | Refused | GivenUp]],
        *,
        patience_ms: int,
        now: UnixMs,
    ) -> Signed | Refused | GivenUp | PersonAsked:
        """The answer, once. A new question is waited for a moment, since it may be answered without a person.

        Raises what the question raised; then the next call asks anew.
        """
        if (rested := self._rested(key, now)) is not None:
            return rested
        task = self._questions.get(key)
        if task is None:
            self._make_room()
            task = self._questions[key] = asyncio.create_task(ask())
            task.add_done_callback(_retrieve)
            await asyncio.wait({task}, timeout=patience_ms / MS_PER_S)
        if not task.done():
            return PersonAsked()
        self._questions.pop(key, None)  # room may have been made with it meanwhile
        answer = task.result()
        if isinstance(answer, Refused) and _said_no(answer):
            self._resting[key] = (answer, UnixMs(now + REST_MS))
        return answer

    def forget(self, key: IdempotencyKey) -> None:
        """Nobody comes for this answer any more."""
        task = self._questions.pop(key, None)
        if task is not None:
            task.cancel()

    async def close(self) -> None:
        """Ask no more: whoever starts next asks the same."""
        tasks = list(self._questions.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._questions.clear()

    def _make_room(self) -> None:
        if len(self._questions) >= _MOST_KEPT:
            self._questions = {key: task for key, task in self._questions.items() if not task.done()}

    def _rested(self, key: IdempotencyKey, now: UnixMs) -> Refused | None:
        self._resting = {one: said for one, said in self._resting.items() if now < said[1]}
        said = self._resting.get(key)
        return None if said is None else said[0]


def _said_no(refused: Refused) -> bool:
    return any(refusal.reason in A_PERSON_SAID_NO for refusal in refused.refusals)


def _retrieve(task: "asyncio.Task[Signed | Refused | GivenUp]") -> None:
    """An error that nobody comes for any more, because the order was closed meanwhile, is no news."""
    if not task.cancelled():
        task.exception()
