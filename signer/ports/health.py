"""Whether a part that the signer needs works now, as a port. Says nothing of why: that is in the log."""

from typing import Protocol


class PartHealth(Protocol):
    """One part."""

    @property
    def name(self) -> str:
        """Service name in the health service, for example `airlock.vault`."""
        ...

    @property
    def serving(self) -> bool:
        """Whether it works."""
        ...
