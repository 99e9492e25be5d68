"""What an operator may have the signer do from the console. Values only."""

from dataclasses import dataclass
from typing import TypeAlias


@dataclass(frozen=True, slots=True, kw_only=True)
class Dismiss:
    """End a request that waits."""

    approval: str
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pause:
    """Stop signing for an account, or for all where it is empty."""

    account: str
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Resume:
    """Let an account sign again, or all where it is empty."""

    account: str


@dataclass(frozen=True, slots=True)
class Quit:
    """End the console. Nothing on the signer changes."""


Act: TypeAlias = Dismiss | Pause | Resume
