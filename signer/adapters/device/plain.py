"""What a device calls itself, as it may stand on a terminal. Lets no control character through.

Anything can be plugged in: a name with escapes could write over what a person is about to compare.
"""

_MOST = 64


def plain(text: str) -> str:
    """At most 64 printable letters; the others are question marks."""
    return "".join(letter if letter.isprintable() else "?" for letter in text[:_MOST])
