"""A key as a person hands it over: hex on a file descriptor, into locked memory. Quotes nothing of it."""

import os

from signer.adapters.vault.locked_memory import LockedBuffer
from signer.adapters.vault.locked_text import decode_hex
from signer.domain.errors import ConfigurationError

KEY_BYTES = 32
MAX_TEXT_BYTES = 4_096
_SPACE = frozenset(b" \t\r\n")
_PREFIX = b"0x"


def read_key(descriptor: int, buffer: LockedBuffer) -> memoryview:
    """Read 64 hex digits, with or without 0x, up to the end; returns the 32 bytes, which lie in `buffer`.

    Raises ConfigurationError naming the descriptor.
    """
    end = _read(descriptor, buffer)
    start = 0
    while start < end and buffer.view[start] in _SPACE:
        start += 1
    while end > start and buffer.view[end - 1] in _SPACE:
        end -= 1
    if buffer.find(_PREFIX, start, end) == start:
        start += len(_PREFIX)
    try:
        key = decode_hex(buffer.view[start:end])
    except ValueError:
        raise _no_key(descriptor) from None
    if len(key) != KEY_BYTES:
        raise _no_key(descriptor)
    return key


def _read(descriptor: int, buffer: LockedBuffer) -> int:
    filled = 0
    try:
        while count := os.readv(descriptor, [buffer.view[filled:]]):
            filled += count
            if filled == len(buffer):
                raise _no_key(descriptor)
    except OSError as error:
        raise ConfigurationError(
            f"file descriptor {descriptor} cannot be read: {error.strerror}; open it for this command, "
            "for example with 3< FILE and --key-fd 3"
        ) from error
    return filled


def _no_key(descriptor: int) -> ConfigurationError:
    return ConfigurationError(f"file descriptor {descriptor} holds no key; allowed are 64 hex digits")
