"""Text from elsewhere, made fit for a terminal: nothing in it moves a cursor, hides or turns what is read."""

import unicodedata

_AT_MOST = 400
_READABLE = frozenset("LNPS")
_BLANK_LETTERS = frozenset("\u115f\u1160\u2800\u3164\uffa0")
_RIGHT_TO_LEFT = frozenset({"R", "AL", "AN"})
REPLACEMENT = "?"


def plain(text: str, *, at_most: int = _AT_MOST) -> str:
    """One line of letters, digits, signs and single spaces.

    Everything else (control characters, escape sequences, direction marks, letters that are read from the
    right, combining and invisible ones) becomes a question mark: seen, not swallowed.
    """
    composed = unicodedata.normalize("NFC", text[: at_most + 1])
    cleaned = "".join(_shown(letter) for letter in composed)
    return cleaned if len(cleaned) <= at_most else f"{cleaned[: at_most - 2]}.."


def _shown(letter: str) -> str:
    if " " <= letter <= "~":
        return letter
    category = unicodedata.category(letter)
    if category == "Zs":
        return " "
    readable = category[0] in _READABLE and letter not in _BLANK_LETTERS
    return letter if readable and unicodedata.bidirectional(letter) not in _RIGHT_TO_LEFT else REPLACEMENT
