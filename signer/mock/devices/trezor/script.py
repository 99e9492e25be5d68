"""A person who follows a script: one act for each request. Refuses a script that is not understood."""

import json
from collections import deque
from collections.abc import Iterable
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from signer.domain.errors import ConfigurationError
from signer.mock.devices.trezor.person import Decision, Person, Press, Screen


class Act(BaseModel):
    """What the person does with one request.

    They approve its screens up to `screen` (from 1), and there do what `press` says; late ones take `ms`.
    The PIN screen is always answered.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    press: Literal["approve", "reject", "ignore", "late", "unplug"]
    ms: int = Field(default=3_000, ge=0, le=600_000)
    screen: int = Field(default=1, ge=1, le=20)

    def decide(self, screen: Screen) -> Decision:
        """The press for one screen of the request."""
        if screen.number < self.screen or screen.asks_pin:
            return Decision(press=Press.APPROVE)
        if self.press == "late":
            late = screen.number == self.screen
            return Decision(press=Press.APPROVE, after_s=self.ms / 1_000 if late else 0.0)
        return Decision(press=Press(self.press))


_ACTS: TypeAdapter[list[Act]] = TypeAdapter(list[Act])


def scripted(acts: Iterable[Act], *, then: Act) -> Person:
    """A person who does these things, one a request, and `then` for ever."""
    left = deque(acts)
    now = then

    def decide(screen: Screen) -> Decision:
        nonlocal now
        if screen.number == 1 and not screen.asks_pin:
            now = left.popleft() if left else then
        return now.decide(screen)

    return decide


def load_acts(path: Path) -> list[Act]:
    """Read a JSON list as `[{"press": "reject", "screen": 2}]`. Raises ConfigurationError naming it."""
    try:
        return _ACTS.validate_python(json.loads(path.read_text(encoding="utf-8")))
    except ValidationError as error:
        rows = error.errors(include_input=False, include_url=False)
        problems = "; ".join(f"act {'.'.join(map(str, row['loc']))}: {row['msg']}" for row in rows)
        raise ConfigurationError(f"{path}: {problems}") from None
    except (OSError, ValueError) as error:
        raise ConfigurationError(f"{path}: is no JSON list of acts: {error}") from None
