"""What a device with a person before it tells while it signs."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias


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
