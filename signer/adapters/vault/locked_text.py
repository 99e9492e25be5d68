"""Base64 and hex of a secret, decoded and encoded inside the memory that holds it.

Makes no bytes and no str of the secret: every value that Python sees on the way is a number below 256, and
those exist once for the whole process.
"""

_BASE64 = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
_HEX = b"0123456789abcdef"
_NO_DIGIT = 255


def _values(alphabet: bytes, *more: bytes) -> bytes:
    table = bytearray([_NO_DIGIT]) * 256
    for digits in (alphabet, *more):
        for value, digit in enumerate(digits):
            table[digit] = value
    return bytes(table)


_BASE64_VALUES = _values(_BASE64)
_HEX_VALUES = _values(_HEX, _HEX.upper())
_PAD = ord("=")


def decode_base64(text: memoryview) -> memoryview:
    """Decode in place; returns the beginning of `text`. Raises ValueError for no base64 (RFC 4648)."""
    if len(text) % 4:
        raise ValueError("base64 comes in groups of four digits")
    padding = 0
    while padding < min(2, len(text)) and text[-1 - padding] == _PAD:
        text[-1 - padding] = _BASE64[0]
        padding += 1
    for group in range(len(text) // 4):
        at, to = group * 4, group * 3
        first, second = _BASE64_VALUES[text[at]], _BASE64_VALUES[text[at + 1]]
        third, fourth = _BASE64_VALUES[text[at + 2]], _BASE64_VALUES[text[at + 3]]
        if _NO_DIGIT in {first, second, third, fourth}:
            raise ValueError("this is no base64")
        # Four digits are read before three bytes are written at or before their place.
        text[to] = first << 2 | second >> 4
        text[to + 1] = (second & 15) << 4 | third >> 2
        text[to + 2] = (third & 3) << 6 | fourth
    return text[: len(text) // 4 * 3 - padding]


def encode_base64(raw: memoryview, text: memoryview) -> int:
    """Write the base64 of `raw` to the beginning of `text`, elsewhere; returns how many digits."""
    size = len(raw)
    groups = -(-size // 3)
    for group in range(groups):
        at, to = group * 3, group * 4
        first = raw[at]
        second = raw[at + 1] if at + 1 < size else 0
        third = raw[at + 2] if at + 2 < size else 0
        text[to] = _BASE64[first >> 2]
        text[to + 1] = _BASE64[(first & 3) << 4 | second >> 4]
        text[to + 2] = _BASE64[(second & 15) << 2 | third >> 6] if at + 1 < size else _PAD
        text[to + 3] = _BASE64[third & 63] if at + 2 < size else _PAD
    return groups * 4


def decode_hex(text: memoryview) -> memoryview:
    """Decode in place; returns the beginning of `text`. Raises ValueError for what is no hex."""
    if len(text) % 2:
        raise ValueError("hex comes in pairs of digits")
    for at in range(len(text) // 2):
        high, low = _HEX_VALUES[text[2 * at]], _HEX_VALUES[text[2 * at + 1]]
        if _NO_DIGIT in {high, low}:
            raise ValueError("this is no hex")
        text[at] = high << 4 | low
    return text[: len(text) // 2]
