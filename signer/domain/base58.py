"""Base58 as Solana spells addresses."""

_ALPHABET = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
_KEY_BYTES = 32
_KEY_LIMIT = 2 ** (8 * _KEY_BYTES)


def base58(raw: bytes) -> str:
    """Leading zero bytes become leading ones."""
    number, digits = int.from_bytes(raw, "big"), ""
    while number:
        number, digit = divmod(number, len(_ALPHABET))
        digits = _ALPHABET[digit] + digits
    return _ALPHABET[0] * (len(raw) - len(raw.lstrip(b"\0"))) + digits


def base58_key(text: str) -> bytes:
    """Read a Solana address as its 32 bytes. Raises ValueError naming the text and what is allowed."""
    number = 0
    for digit in text:
        number = number * len(_ALPHABET) + _ALPHABET.find(digit) if digit in _ALPHABET else -1
        if not 0 <= number < _KEY_LIMIT:
            break
    else:
        key = number.to_bytes(_KEY_BYTES, "big")
        if base58(key) == text:
            return key
    raise ValueError(f"{text[:60]!r} is no Solana address; allowed are 32 bytes in base58")
