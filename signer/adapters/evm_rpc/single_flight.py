"""One question at a time per key: who asks while an answer is on its way gets that one. Keeps no failure."""

import asyncio
from collections.abc import Awaitable, Callable, Hashable
from typing import Generic, TypeVar

Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")


class SingleFlight(Generic[Key, Value]):
    """Shares running questions. A waiter that is cancelled does not cancel the question for the others."""

    def __init__(self) -> None:
        self._running: dict[Key, asyncio.Task[Value]] = {}

    async def ask(self, key: Key, question: Callable[[], Awaitable[Value]]) -> Value:
        """Answer of `question`, or of the same question that is on its way."""
        self.begin(key, question)
        return await asyncio.shield(self._running[key])

    def begin(self, key: Key, question: Callable[[], Awaitable[Value]]) -> None:
        """Ask without waiting, unless the question is on its way. Nobody need look at the answer."""
        if key not in self._running:
            task = asyncio.create_task(_answer(question))
            self._running[key] = task
            task.add_done_callback(lambda done: self._land(key, done))

    def _land(self, key: Key, done: "asyncio.Task[Value]") -> None:
        del self._running[key]
        if not done.cancelled():
            done.exception()  # every waiter may be gone


async def _answer(question: Callable[[], Awaitable[Value]]) -> Value:
    return await question()
