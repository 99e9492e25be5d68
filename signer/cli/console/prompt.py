"""A question at the bottom of the screen: which one, why, and are you sure. Only `y` does anything."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import Enum

from signer.cli.console.acts import Act, Dismiss, Pause
from signer.cli.console.keys import BACKSPACE, ENTER, ESCAPE, QUIT

REASON_MAX = 200
"""Characters; the contract's limit."""
_CHOICES_MAX = 9


class Step(Enum):
    """What is asked now."""

    WHICH = "which"
    WHY = "why"
    SURE = "sure"


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """An act, and what it is called."""

    name: str
    act: Act


@dataclass(frozen=True, slots=True, kw_only=True)
class Prompt:
    """An open question. What it is about was fixed when it was opened, whatever is selected meanwhile."""

    choices: tuple[Choice, ...]
    step: Step
    chosen: Choice
    reason: str = ""

    @property
    def lines(self) -> tuple[str, ...]:
        """What to show."""
        match self.step:
            case Step.WHICH:
                listed = [f"  {number} {each.name}" for number, each in enumerate(self.choices, 1)]
                return ("Which one? (Esc leaves)", *listed)
            case Step.WHY:
                return (
                    f"{self.chosen.name}. Why? (may be empty; Enter goes on, Esc leaves)",
                    f"> {self.reason}_",
                )
            case Step.SURE:
                why = f' Reason: "{self.reason}".' if self.reason else ""
                return (f"{self.chosen.name}?{why}  y = yes, n = no",)


def ask(choices: Sequence[Choice]) -> Prompt | None:
    """Open the question; None where there is nothing to choose. More than nine are not offered."""
    if not choices:
        return None
    first = choices[0]
    return Prompt(
        choices=tuple(choices[:_CHOICES_MAX]),
        step=Step.WHICH if len(choices) > 1 else _after_which(first),
        chosen=first,
    )


def answer(prompt: Prompt, key: str) -> Prompt | Act | None:
    """The question after a key: still open, answered with what to do, or left."""
    if key in {ESCAPE, QUIT}:
        return None
    match prompt.step:
        case Step.WHICH:
            return _which(prompt, key)
        case Step.WHY:
            return _why(prompt, key)
        case Step.SURE:
            if key == "y":
                return _with_reason(prompt.chosen.act, prompt.reason.strip())
            return None if key == "n" else prompt


def _which(prompt: Prompt, key: str) -> Prompt:
    if key not in "123456789" or int(key) > len(prompt.choices):
        return prompt
    chosen = prompt.choices[int(key) - 1]
    return replace(prompt, chosen=chosen, step=_after_which(chosen))


def _why(prompt: Prompt, key: str) -> Prompt:
    if key == ENTER:
        return replace(prompt, step=Step.SURE)
    if key == BACKSPACE:
        return replace(prompt, reason=prompt.reason[:-1])
    if len(key) == 1 and len(prompt.reason) < REASON_MAX:
        return replace(prompt, reason=prompt.reason + key)
    return prompt


def _after_which(choice: Choice) -> Step:
    return Step.WHY if isinstance(choice.act, Dismiss | Pause) else Step.SURE


def _with_reason(act: Act, reason: str) -> Act:
    return replace(act, reason=reason) if isinstance(act, Dismiss | Pause) else act
