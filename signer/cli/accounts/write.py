"""Appends tables to signer.toml. Refuses to leave a file that the signer would not start with.

What is there stays as it is, comments too. The file is whole at every instant.
"""

import os
import stat
from pathlib import Path

from signer.domain.errors import ConfigurationError
from signer.settings import parse


def append(path: Path, tables: str) -> None:
    """Append, if the result is a settings file as the signer reads it.

    Raises ConfigurationError naming the file and what is wrong with the result; then nothing has changed.
    """
    file = path.resolve()
    try:
        before = file.read_bytes()
        mode = stat.S_IMODE(file.stat().st_mode)
        after = before.rstrip(b"\n") + b"\n\n" + tables.encode()
        parse(after, path)
        _replace(file, after, mode)
    except OSError as error:
        raise ConfigurationError(
            f"{path}: cannot be written: {error.strerror}; nothing has changed"
        ) from None


def _replace(file: Path, content: bytes, mode: int) -> None:
    beside = file.with_name(f".{file.name}.new")
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    with os.fdopen(descriptor, "wb") as new:
        os.fchmod(new.fileno(), mode)
        new.write(content)
        new.flush()
        os.fsync(new.fileno())
    beside.replace(file)
    folder = os.open(file.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
