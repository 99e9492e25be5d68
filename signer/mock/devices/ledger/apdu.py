"""What an application may answer. Knows no application."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

OK = b"\x90\x00"
HEADER_BYTES = 5


class RefusalError(Exception):
    """A status word other than 9000, with the data before it (nearly always none)."""

    def __init__(self, word: int, data: bytes = b"") -> None:
        super().__init__(f"{word:04x}")
        self.answer = data + word.to_bytes(2, "big")


@dataclass(slots=True, kw_only=True)
class Review:
    """Something on the screen. The answer comes when a button is pressed, or never."""

    title: str
    screens: Sequence[str]
    approved: Callable[[], bytes] = field(repr=False)
    """Makes the data of the answer, without the status word."""
    swallowed: bool = False
    """Another command came in between: the person sees success, the host hears nothing."""
    doomed: bool = False
    """Another command freed the screen's memory: the next button crashes the application."""


Reply: TypeAlias = bytes | Review
"""Data and status word at once, or a review that answers later."""


def split_path(data: bytes, *, bad: int) -> tuple[tuple[int, ...], bytes]:
    """Path (one count byte, then 4 bytes an index) and what follows. Refuses with the word `bad`."""
    count = data[0] if data else 0
    end = 1 + 4 * count
    if not 1 <= count <= 10 or len(data) < end:  # noqa: PLR2004 - the applications' own limit
        raise RefusalError(bad)
    return tuple(int.from_bytes(data[at : at + 4], "big") for at in range(1, end, 4)), data[end:]
