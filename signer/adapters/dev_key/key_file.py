"""A raw key in a file. Refuses a file that anyone but its owner can read, and never quotes its content."""

import os
import re
import stat
from pathlib import Path

from signer.domain.errors import ConfigurationError

_HEX_KEY = re.compile(rb"\s*(?:0x)?([0-9a-fA-F]{64})\s*")
_MAX_BYTES = 200


def read_key_file(path: Path) -> bytes:
    """Return the 32 bytes of a file of 64 hex digits. Raises ConfigurationError naming the file."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        with os.fdopen(descriptor, "rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            content = file.read(_MAX_BYTES)
    except OSError as error:
        raise ConfigurationError(f"{path}: cannot be read: {error.strerror}; allowed is a key file") from None
    if not stat.S_ISREG(mode) or mode & 0o077:
        raise ConfigurationError(f"{path}: mode is {stat.filemode(mode)}; allowed is a file of mode 0600")
    match = _HEX_KEY.fullmatch(content)
    if match is None or not any(key := bytes.fromhex(match[1].decode())):
        raise ConfigurationError(f"{path}: holds no key; allowed are 64 hex digits")
    return key
