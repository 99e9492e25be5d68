"""The person before the double: looks at a screen and presses, or does not. Asked once a screen."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias


class Press(StrEnum):
    """What a person does at a screen. `WRONG_PIN` is for the PIN screen; `UNPLUG` pulls the cable."""

    APPROVE = "approve"
    REJECT = "reject"
    IGNORE = "ignore"
    WRONG_PIN = "wrong pin"
    UNPLUG = "unplug"


@dataclass(frozen=True, slots=True, kw_only=True)
class Screen:
    """What is on the display. `name` is None on a Model One; `number` counts from 1 within a request.

    `shown` is heading and text, as far as the double knows them.
    """

    request: str
    name: str | None
    number: int
    shown: tuple[str, str] = ("", "")

    @property
    def asks_pin(self) -> bool:
        """Whether it is the PIN screen of the core firmware."""
        return self.name == "pin_device"


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """A press, at once or some time after the screen appeared."""

    press: Press
    after_s: float = 0.0


Person: TypeAlias = Callable[[Screen], Decision]
"""Asked when a screen is shown. Must not call the device."""


def approving(_: Screen) -> Decision:
    """Says yes to everything: for tests of the wire, not of judgement."""
    return Decision(press=Press.APPROVE)
