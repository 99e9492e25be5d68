"""The states of a device as its owner sees them."""

from enum import StrEnum


class DeviceState(StrEnum):
    """GONE → IDLE → REVIEWING → IDLE | DRAINING → IDLE | GONE."""

    GONE = "gone"
    """No connection. The next request makes one."""
    IDLE = "idle"
    """Connected; nothing is shown to the person."""
    REVIEWING = "reviewing"
    """A person has a request before them."""
    DRAINING = "draining"
    """A request was given up; its answer may still come and is destroyed. Nobody else is served."""
