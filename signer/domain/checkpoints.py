"""A statement that the audit trail had a certain head at a certain time. Names a head only, never content.

The message that is signed begins with its own name and version, so that no other signature of the same key
can be taken for one, and names everything that the line in the file says.
"""

from dataclasses import dataclass

from signer.domain.time import UnixMs

NONE_BEFORE = -1
"""`after` of the first checkpoint of a trail."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """`seq` and `hash` are a record of the trail; `after` is the record of the checkpoint before this one.

    `key` is the name of the key that signs it.
    """

    seq: int
    hash: str
    after: int
    at: UnixMs
    key: str

    def message(self) -> bytes:
        """The bytes that are signed."""
        return (
            "airlock audit checkpoint v1\n"
            f"key={self.key}\nafter={self.after}\nseq={self.seq}\nhash={self.hash}\nat={self.at}\n"
        ).encode("ascii")


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """A signed statement: ed25519, 64 bytes, by that version of the key."""

    statement: Statement
    key_version: int
    signature: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Rhythm:
    """A checkpoint is due after so many records, and for the rest after so many seconds."""

    every_records: int = 1_000
    every_s: int = 3_600
