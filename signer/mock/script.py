"""What the mock does next. One step per signing call; when none is left it behaves like the real signer."""

import json
from collections import deque
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from signer.domain.errors import ConfigurationError
from signer.domain.reasons import DenyReason, FailReason


class _Step(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Sign(_Step):
    """Behave like the real signer."""

    do: Literal["sign"] = "sign"


class Deny(_Step):
    """Answer a denial with this reason; nothing is reserved."""

    do: Literal["deny"] = "deny"
    reason: DenyReason


class Delay(_Step):
    """Sign, but later."""

    do: Literal["delay"] = "delay"
    ms: int = Field(ge=0, le=600_000)


class Hang(_Step):
    """Never answer. Ends when the client gives up."""

    do: Literal["hang"] = "hang"


class CutBeforeSigning(_Step):
    """Cut the connection; nothing is signed."""

    do: Literal["cut_before_signing"] = "cut_before_signing"


class CutAfterSigning(_Step):
    """Sign durably, then cut the connection: the answer is lost, the same key gets it."""

    do: Literal["cut_after_signing"] = "cut_after_signing"


class Unavailable(_Step):
    """Answer UNAVAILABLE; nothing is signed."""

    do: Literal["unavailable"] = "unavailable"
    reason: Literal[
        FailReason.CHAIN_UNREACHABLE, FailReason.KEY_BACKEND_UNREACHABLE, FailReason.LEDGER_UNAVAILABLE
    ] = FailReason.KEY_BACKEND_UNREACHABLE


class AwaitApproval(_Step):
    """Answer DEVICE_WAITING to this and all following calls until `Script.approve` is called."""

    do: Literal["await_approval"] = "await_approval"


Step: TypeAlias = Annotated[
    Sign | Deny | Delay | Hang | CutBeforeSigning | CutAfterSigning | Unavailable | AwaitApproval,
    Field(discriminator="do"),
]
_STEPS: TypeAdapter[list[Step]] = TypeAdapter(list[Step])


class Script:
    """A queue of steps. Each call that would sign takes one."""

    def __init__(self, steps: Iterable[Step] = ()) -> None:
        self._steps: deque[Step] = deque(steps)

    @property
    def left(self) -> int:
        """Steps that no call has taken yet."""
        return len(self._steps)

    def then(self, *steps: Step) -> None:
        """Append steps."""
        self._steps.extend(steps)

    def approve(self) -> None:
        """The person confirms on the device: the next call goes on."""
        if self._steps and isinstance(self._steps[0], AwaitApproval):
            self._steps.popleft()

    def take(self) -> Step:
        """Step for the next call; one that waits for approval stays."""
        if not self._steps:
            return Sign()
        return self._steps[0] if isinstance(self._steps[0], AwaitApproval) else self._steps.popleft()


def load_script(path: Path) -> Script:
    """Read a JSON list of steps, as `[{"do": "deny", "reason": "SLIPPAGE_TOO_HIGH"}, {"do": "hang"}]`.

    Raises ConfigurationError naming the file, the step and what is allowed.
    """
    try:
        return Script(_STEPS.validate_python(json.loads(path.read_text(encoding="utf-8"))))
    except (OSError, ValueError) as error:
        raise ConfigurationError(f"{path}: {_problems(error)}") from None


def _problems(error: OSError | ValueError) -> str:
    if isinstance(error, ValidationError):
        rows = error.errors(include_input=False, include_url=False)
        return "; ".join(f"step {'.'.join(map(str, row['loc']))}: {row['msg']}" for row in rows)
    if isinstance(error, OSError):
        return f"cannot be read: {error.strerror}"
    return f"is no JSON list of steps: {error}"
