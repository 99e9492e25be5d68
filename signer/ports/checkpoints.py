"""Checkpoints of the audit trail as ports: what they speak about, who signs them, where they are kept."""

from typing import Protocol

from signer.domain.checkpoints import Checkpoint, Statement


class TrailHead(Protocol):
    """End of a trail: number of its last durable record and that record's hash."""

    @property
    def seq(self) -> int:
        """Number; the genesis is 0."""
        ...

    @property
    def hash(self) -> str:
        """SHA-256, hex."""
        ...


class Trail(Protocol):
    """A trail that knows where it ends."""

    @property
    def head(self) -> TrailHead:
        """End of what is durable now."""
        ...


class CheckpointKey(Protocol):
    """The key that signs checkpoints, somewhere else than on this host."""

    @property
    def name(self) -> str:
        """Its name."""
        ...

    async def sign(self, statement: Statement) -> Checkpoint:
        """Sign with the newest version. Raises SignerError when that cannot be done now."""
        ...


class CheckpointBook(Protocol):
    """Where checkpoints are kept, in order."""

    @property
    def last(self) -> Checkpoint | None:
        """The newest one."""
        ...

    async def append(self, checkpoint: Checkpoint) -> None:
        """Make it durable. Raises UnavailableError. Goes on by itself when its caller is cancelled."""
        ...

    async def settled(self) -> None:
        """Wait until `last` is what is there, whoever was cancelled."""
        ...
