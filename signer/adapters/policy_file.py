"""The policy from a file. Reads it whole at every call; judges nothing."""

import asyncio
from pathlib import Path

from signer.domain.errors import ConfigurationError

_MAX_BYTES = 1_048_576


class PolicyFile:
    """A policy file on disk (signer.ports.policy_source.PolicySource)."""

    def __init__(self, path: Path) -> None:
        self._path = path

    @property
    def name(self) -> str:
        """Path of the file."""
        return str(self._path)

    async def read(self) -> bytes:
        """Return its bytes. Raises ConfigurationError when it is unreadable or larger than 1 MiB."""
        try:
            content = await asyncio.to_thread(self._path.read_bytes)
        except OSError as error:
            raise ConfigurationError(f"policy file {self._path}: {error.strerror}") from error
        if len(content) > _MAX_BYTES:
            raise ConfigurationError(f"policy file {self._path}: {len(content)} bytes, 1 MiB is allowed")
        return content
