"""The person before the device: what they do when a review opens. Refuses scripts that are not understood."""

import json
from collections import deque
from collections.abc import Callable, Iterable
from enum import StrEnum
from pathlib import Path
from typing import TypeAlias

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from signer.domain.errors import ConfigurationError
from signer.mock.devices.ledger.apdu import Review


class Press(StrEnum):
    """What a person does with a review."""

    APPROVE = "approve"
    REJECT = "reject"
    IGNORE = "ignore"
    LATE = "late"
    """Approves, but only after a while."""
    UNPLUG = "unplug"
    LOCK = "lock"


class Act(BaseModel):
    """One act; `ms` is how long a late person takes."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    press: Press
    ms: int = Field(default=3_000, ge=0, le=600_000)


Person: TypeAlias = Callable[[Review], Act]
"""Asked once for each review, when it opens."""

APPROVE = Act(press=Press.APPROVE)
REJECT = Act(press=Press.REJECT)
IGNORE = Act(press=Press.IGNORE)
_ACTS: TypeAdapter[list[Act]] = TypeAdapter(list[Act])


def always(act: Act) -> Person:
    """A person of one habit."""
    return lambda _review: act


def scripted(acts: Iterable[Act], *, then: Act) -> Person:
    """A person who does these things one after another, and `then` for ever."""
    left = deque(acts)
    return lambda _review: left.popleft() if left else then


def load_acts(path: Path) -> list[Act]:
    """Read a JSON list as `[{"press": "late", "ms": 5000}]`. Raises ConfigurationError naming it."""
    try:
        return _ACTS.validate_python(json.loads(path.read_text(encoding="utf-8")))
    except ValidationError as error:
        rows = error.errors(include_input=False, include_url=False)
        problems = "; ".join(f"act {'.'.join(map(str, row['loc']))}: {row['msg']}" for row in rows)
        raise ConfigurationError(f"{path}: {problems}") from None
    except (OSError, ValueError) as error:
        raise ConfigurationError(f"{path}: is no JSON list of acts: {error}") from None
