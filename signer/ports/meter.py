"""What the edge reports of every call, as a port: counted, never kept. No client, account or amount in it."""

from collections.abc import Iterable
from typing import Protocol


class CallMeter(Protocol):
    """Counts calls. Every method is a few additions: it stands in the path of a signature."""

    def begun(self) -> int:
        """A call begins; returns its mark, which its end takes back."""
        ...

    def answered(self, method: str, mark: int) -> None:
        """It was answered."""
        ...

    def denied(self, method: str, mark: int, reasons: Iterable[str]) -> None:
        """The policy said no, for these reasons."""
        ...

    def failed(self, method: str, mark: int, reason: str) -> None:
        """There was no verdict and no signature, for this reason."""
        ...

    def stream_opened(self) -> None:
        """A stream of changes was opened."""
        ...

    def stream_closed(self) -> None:
        """A stream of changes was closed."""
        ...


class NoMeter:
    """Counts nothing (CallMeter)."""

    def begun(self) -> int:
        """No mark."""
        return 0

    def answered(self, method: str, mark: int) -> None:
        """Not counted."""

    def denied(self, method: str, mark: int, reasons: Iterable[str]) -> None:
        """Not counted."""

    def failed(self, method: str, mark: int, reason: str) -> None:
        """Not counted."""

    def stream_opened(self) -> None:
        """Not counted."""

    def stream_closed(self) -> None:
        """Not counted."""


NO_METER = NoMeter()
