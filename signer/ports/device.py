"""What a device with a person before it tells while it signs, and when it is looked at."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias

from signer.domain.reasons import FailReason


class DevicePhase(StrEnum):
    """Where a request stands, as the wire's DevicePhase has it."""

    QUEUED = "queued"
    WAITING_FOR_CONFIRMATION = "waiting for confirmation"
    CONFIRMED = "confirmed"
    ENDED = "ended"


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceProgress:
    """`message` is a line for people, for example "2 of 3 screens"."""

    phase: DevicePhase
    message: str = ""


Watch: TypeAlias = Callable[[DeviceProgress], None]
"""Told in the event loop, in order. Must not block or raise."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Screen:
    """One screen as the device will show it: its heading, and its text without line breaks."""

    title: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceStatus:
    """A device as it is now.

    `state` is "gone", "idle", "reviewing" or "draining", or "unknown" of one that was not looked at. `reason`
    and `message` say why it takes no request now and what to do; None and empty when it is `ready`.
    `detail` is for people: model, firmware, application.
    """

    name: str
    kind: str
    state: str
    ready: bool
    reason: FailReason | None = None
    message: str = ""
    detail: str = ""
    waiting: int = 0
