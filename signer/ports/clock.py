"""Time as a port, so that it can be stopped, moved and jumped in tests."""

from typing import Protocol

from signer.domain.time import UnixMs


class Clock(Protocol):
    """The wall clock."""

    def now(self) -> UnixMs:
        """Current time, unix milliseconds."""
        ...
