"""Where the ages of things come from, as a port."""

from collections.abc import Sequence
from typing import Protocol

from signer.domain.rotating import Fact


class FactSource(Protocol):
    """Looks at some of the things that rotate."""

    async def facts(self) -> Sequence[Fact]:
        """Everything it looks at, as it is now. What cannot be seen is a fact with its problem."""
        ...
