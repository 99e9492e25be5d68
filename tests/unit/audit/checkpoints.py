"""A checkpoint key in memory, and the signed checkpoints of a trail; the key is made of a fixed seed."""

from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from signer.adapters.audit_file import AuditFile
from signer.adapters.audit_file.checkpoint_file import CheckpointFile, checkpoint_path
from signer.adapters.audit_file.public_keys import PublicKeys
from signer.domain.checkpoints import Checkpoint, Rhythm, Statement
from signer.domain.errors import UnavailableError
from signer.domain.reasons import FailReason
from signer.service.audit_checkpoints import AuditCheckpoints
from tests.fakes.clock import FakeClock
from tests.unit.audit.trail import record

NAME = "airlock-audit"
RHYTHM = Rhythm(every_records=10, every_s=3_600)


class MemoryCheckpointKey:
    """Signs with its newest version; `reachable = False` is a Vault that is away."""

    def __init__(self, seed: int = 1) -> None:
        self._versions = [_key(seed, 1)]
        self._seed = seed
        self.reachable = True

    @property
    def name(self) -> str:
        return NAME

    def rotate(self) -> None:
        self._versions.append(_key(self._seed, len(self._versions) + 1))

    @property
    def public(self) -> PublicKeys:
        keys = {number: key.public_key().public_bytes_raw() for number, key in enumerate(self._versions, 1)}
        return PublicKeys(key=NAME, by_version=keys)

    async def sign(self, statement: Statement) -> Checkpoint:
        if not self.reachable:
            raise UnavailableError(FailReason.VAULT_SEALED, "Vault is sealed: an operator has to unseal it")
        return Checkpoint(
            statement=statement,
            key_version=len(self._versions),
            signature=self._versions[-1].sign(statement.message()),
        )


class RecordingLog:
    def __init__(self) -> None:
        self.events: list[tuple[str, dict[str, object]]] = []

    def event(self, name: str, **fields: object) -> None:
        self.events.append((name, fields))

    def names(self) -> list[str]:
        return [name for name, _ in self.events]


async def write_checkpointed(
    path: Path, key: MemoryCheckpointKey, *, rounds: int = 3, each: int = 4, clock: FakeClock | None = None
) -> None:
    """A trail of `rounds` × `each` records with a checkpoint after every round."""
    clock = clock or FakeClock()
    async with AuditFile(path, clock) as trail, CheckpointFile(checkpoint_path(path), trail) as book:
        making = AuditCheckpoints(
            trail=trail, key=key, book=book, rhythm=RHYTHM, clock=clock, log=RecordingLog()
        )
        for round_ in range(rounds):
            for number in range(each):
                await trail.append(record(round_ * each + number))
            assert await making.make()


def _key(seed: int, version: int) -> Ed25519PrivateKey:
    return Ed25519PrivateKey.from_private_bytes(bytes([seed, version]) * 16)
