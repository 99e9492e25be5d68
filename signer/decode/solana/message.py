"""Who must sign a Solana message. Refuses every message that it cannot read to its last byte.

Legacy and v0 (`0x80` first); the v1 format is refused. Source: Solana's transaction format.
"""

from dataclasses import dataclass

_VERSIONED = 0x80
_KEY_BYTES = 32
_COMPACT_U16_BYTES = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class SolanaMessage:
    """Shape of a message; its instructions are not decoded here. `version` is None for the legacy format."""

    version: int | None
    static_keys: tuple[bytes, ...]
    required_signatures: int

    @property
    def signers(self) -> tuple[bytes, ...]:
        """Public keys whose signatures the message needs, the fee payer first."""
        return self.static_keys[: self.required_signatures]


def parse_message(raw: bytes) -> SolanaMessage:
    """Read a serialized message. Raises ValueError naming what is wrong and at which byte."""
    cursor = _Cursor(raw)
    version = cursor.version()
    required, _, _ = cursor.take(3)
    keys = tuple(cursor.take(_KEY_BYTES) for _ in range(cursor.length()))
    if not 0 < required <= len(keys):
        raise ValueError(f"{required} signatures of {len(keys)} keys: from 1 to all of them are allowed")
    cursor.take(_KEY_BYTES)  # blockhash
    for _ in range(cursor.length()):
        cursor.take(1)  # program
        cursor.take(cursor.length())
        cursor.take(cursor.length())
    if version is not None:
        for _ in range(cursor.length()):
            cursor.take(_KEY_BYTES)
            cursor.take(cursor.length())
            cursor.take(cursor.length())
    cursor.end()
    return SolanaMessage(version=version, static_keys=keys, required_signatures=required)


class _Cursor:
    def __init__(self, raw: bytes) -> None:
        self._raw = raw
        self._at = 0

    def take(self, count: int) -> bytes:
        taken = self._raw[self._at : self._at + count]
        if len(taken) != count:
            raise ValueError(f"the message ends at byte {len(self._raw)}: more is expected")
        self._at += count
        return taken

    def version(self) -> int | None:
        if not self._raw or self._raw[0] < _VERSIONED:
            return None
        version = self.take(1)[0] - _VERSIONED
        if version:
            raise ValueError(f"the message is of version {version}: legacy and 0 are allowed")
        return version

    def length(self) -> int:
        value = 0
        for position in range(_COMPACT_U16_BYTES):
            byte = self.take(1)[0]
            value |= (byte & 0x7F) << (7 * position)
            if byte < _VERSIONED:
                return value
        raise ValueError(f"the length before byte {self._at} is not a compact-u16")

    def end(self) -> None:
        if self._at != len(self._raw):
            raise ValueError(f"{len(self._raw) - self._at} bytes follow the message at byte {self._at}")
