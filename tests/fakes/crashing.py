"""Ports whose every call passes by somebody: who counts it, or who is a crash before or after its effect."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Protocol, TypeVar, cast

T = TypeVar("T")


class Passage(Protocol):
    """Who is passed by."""

    async def pass_by(self, name: str, call: Callable[[], Awaitable[object]]) -> object:
        """Make the call of this name, or not; its result."""
        ...


class Crash(BaseException):
    """SIGKILL, as far as the code under test can tell; no handler of ours may catch it."""


@dataclass(slots=True)
class CrashPoint:
    """The `at`-th call is a crash. It counts from 0; `after_effect` lets the call happen first."""

    at: int
    after_effect: bool
    calls: list[str] = field(default_factory=list)

    async def pass_by(self, name: str, call: Callable[[], Awaitable[object]]) -> object:
        number = len(self.calls)
        self.calls.append(name)
        if number > self.at:
            raise Crash(f"{name}: the process is dead already")
        if number == self.at and not self.after_effect:
            raise Crash(f"before {name}")
        result = await call()
        if number == self.at:
            raise Crash(f"after {name}")
        return result


@dataclass(slots=True)
class Told:
    """Tells the name of each call when it is done, with that of its port in front."""

    port: str
    done: Callable[[str], None]

    async def pass_by(self, name: str, call: Callable[[], Awaitable[object]]) -> object:
        result = await call()
        self.done(f"{self.port}.{name}")
        return result


def crashing(port: T, point: Passage) -> T:
    """The same port, whose coroutines pass by this point."""
    return cast("T", _Crashing(port, point))


class _Crashing:
    def __init__(self, port: object, point: Passage) -> None:
        self._port, self._point = port, point

    def __getattr__(self, name: str) -> object:
        method = getattr(self._port, name)

        async def passing(*arguments: object, **named: object) -> object:
            return await self._point.pass_by(name, lambda: method(*arguments, **named))

        return passing
