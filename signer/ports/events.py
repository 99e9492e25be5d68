"""Operational events as a port: names with fields, never sentences, never secrets."""

from typing import Protocol


class EventLog(Protocol):
    """Where events go."""

    def event(self, name: str, **fields: object) -> None:
        """Write one event."""
        ...
