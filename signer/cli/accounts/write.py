"""Appends tables to signer.toml. Refuses to leave a file that the signer would not start with.

What is there stays as it is, comments, owner and mode too. The file is whole at every instant.
"""

import stat
from pathlib import Path

from signer.adapters.whole_file import alone_with, replace
from signer.domain.errors import ConfigurationError
from signer.settings import parse


def append(path: Path, tables: str) -> None:
    """Append, if the result is a settings file as the signer reads it.

    Raises ConfigurationError naming the file and what is wrong with the result; then nothing has changed.
    """
    file = path.resolve()
    try:
        with alone_with(file):
            before = file.read_bytes()
            after = before.rstrip(b"\n") + b"\n\n" + tables.encode()
            parse(after, path)
            replace(file, after, mode=stat.S_IMODE(file.stat().st_mode))
    except OSError as error:
        raise ConfigurationError(
            f"{path}: cannot be written: {error.strerror}; nothing has changed"
        ) from None
