"""Commands (APDUs) and answers. A command carries 255 bytes; what is longer goes in pieces."""

from collections.abc import Sequence
from dataclasses import dataclass

OK = 0x9000
DATA_MAX = 255


@dataclass(frozen=True, slots=True)
class Answer:
    """Data and status word of one answer."""

    data: bytes
    word: int


def command(cla: int, ins: int, p1: int, p2: int, data: bytes = b"") -> bytes:
    """One command."""
    return bytes((cla, ins, p1, p2, len(data))) + data


def pieces(payload: bytes) -> Sequence[bytes]:
    """Cut into at most 255 bytes each; never empty."""
    return [payload[at : at + DATA_MAX] for at in range(0, len(payload), DATA_MAX)] or [b""]


def parse(raw: bytes) -> Answer:
    """Split the status word off. Raises ValueError for less than a word."""
    if len(raw) < 2:  # noqa: PLR2004 - a status word
        raise ValueError("an answer without a status word")
    return Answer(raw[:-2], int.from_bytes(raw[-2:], "big"))
