"""Broadcasting as a port. Only the drain of a rotation uses it; clients broadcast for themselves."""

from typing import Protocol

from signer.domain.transactions import SignedBytes


class Broadcaster(Protocol):
    """The signer's own node as a way into the mempool."""

    async def broadcast(self, signed: SignedBytes) -> str | None:
        """Hand the bytes to the node; None when it has them now, also when it had them before.

        Otherwise what the node objects to, for people. Doing it again is harmless. Raises UnavailableError.
        """
        ...
