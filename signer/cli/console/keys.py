"""Bytes of a keyboard as keys. Knows no terminal; sequences that it does not know are swallowed whole."""

import codecs
import re

ESCAPE, ENTER, BACKSPACE, UP, DOWN, QUIT = "escape", "enter", "backspace", "up", "down", "quit"
"""Keys that are no letters; every other key is the one character that it types."""

_PIECE = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]|\x1bO[@-~]|.", re.DOTALL)
_BEGUN = re.compile(r"\x1b(?:\[[0-9;?]*[ -/]*|O)?\Z")
_BEGUN_MAX = 32
_NAMES = {
    "\x1b": ESCAPE,
    "\x1b[A": UP,
    "\x1bOA": UP,
    "\x1b[B": DOWN,
    "\x1bOB": DOWN,
    "\r": ENTER,
    "\n": ENTER,
    "\x7f": BACKSPACE,
    "\x08": BACKSPACE,
    "\x03": QUIT,
    "\x04": QUIT,
}


class Keys:
    """Decodes what arrives in pieces."""

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._begun = ""

    @property
    def begun(self) -> bool:
        """Whether a sequence has begun that may go on; after a moment of silence it is the key Escape."""
        return bool(self._begun)

    def feed(self, data: bytes) -> list[str]:
        """Keys that are complete now."""
        text, self._begun = self._begun + self._decoder.decode(data), ""
        begun = _BEGUN.search(text)
        if begun is not None and len(begun[0]) <= _BEGUN_MAX:
            text, self._begun = text[: begun.start()], begun[0]
        keys = (_key(piece) for piece in _PIECE.findall(text))
        return [key for key in keys if key]

    def flush(self) -> list[str]:
        """What has begun was meant as it is."""
        begun, self._begun = self._begun, ""
        return [ESCAPE] if begun else []


def _key(piece: str) -> str:
    if piece in _NAMES:
        return _NAMES[piece]
    return piece if len(piece) == 1 and piece.isprintable() else ""
