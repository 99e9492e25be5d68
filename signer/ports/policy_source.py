"""Where the policy comes from, as a port."""

from typing import Protocol


class PolicySource(Protocol):
    """One policy file."""

    @property
    def name(self) -> str:
        """What people call it: the file's name, for errors."""
        ...

    async def read(self) -> bytes:
        """Return its bytes as they are now. Raises ConfigurationError for a file that cannot be read."""
        ...
