"""One signer per ledger: an exclusive lock for life. Refuses the second signer by the name of the first."""

import fcntl
import os
from pathlib import Path

from signer.domain.errors import ConfigurationError


class FileLock:
    """`flock` on a file beside the ledger; the kernel gives it back when the process ends."""

    def __init__(self, path: Path) -> None:
        """Take the lock. Raises ConfigurationError naming the file and the process that holds it."""
        try:
            self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise ConfigurationError(
                f"{path}: the lock of the ledger cannot be opened ({error.strerror})"
            ) from error
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            holder = os.pread(self._descriptor, 32, 0).decode("ascii", "replace").strip() or "unknown"
            os.close(self._descriptor)
            raise ConfigurationError(
                f"{path}: another signer (pid {holder}) holds this ledger; one signer per ledger is allowed"
            ) from error
        os.ftruncate(self._descriptor, 0)
        os.pwrite(self._descriptor, f"{os.getpid()}\n".encode("ascii"), 0)

    def release(self) -> None:
        """Give the lock back. The file stays: removing it would let two signers lock two files."""
        os.close(self._descriptor)
