"""One process per device. Refuses to wait for another that has it."""

import errno
import fcntl
import os
from pathlib import Path

from signer.domain.errors import ConfigurationError, UnavailableError
from signer.domain.reasons import FailReason


class DeviceLock:
    """A lock on a file; the system drops it when the process ends, however it ends."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._descriptor: int | None = None

    def take(self) -> None:
        """Hold the lock; again changes nothing.

        Raises UnavailableError when another process has it, ConfigurationError when the file cannot be made.
        """
        if self._descriptor is not None:
            return
        try:
            descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        except OSError as error:
            text = f"{self._path}: no lock file can be made: {error.strerror}; allowed is a file in a folder"
            raise ConfigurationError(text) from None
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(descriptor)
            if error.errno not in {errno.EWOULDBLOCK, errno.EACCES}:
                raise
            text = f"another process has the device (it locks {self._path}): stop it, then ask again"
            raise UnavailableError(FailReason.DEVICE_BUSY, text) from None
        self._descriptor = descriptor

    def release(self) -> None:
        """Let others have the device."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None
