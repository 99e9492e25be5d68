"""A Solana message as values. Refuses every message that it cannot read to its last byte.

Legacy and v0 (`0x80` first); the v1 format is refused. Source: Solana's transaction format.
"""

from dataclasses import dataclass

from signer.domain.solana import HASH_BYTES, Blockhash, SolanaKey

_VERSIONED = 0x80
_COMPACT_U16_BYTES = 3
_U16_MAX = 0xFFFF


@dataclass(frozen=True, slots=True, kw_only=True)
class SolanaInstruction:
    """One instruction; `program` and `accounts` are places in the message's list of keys."""

    program: int
    accounts: tuple[int, ...]
    data: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class SolanaMessage:
    """Shape of a message; what its instructions mean is not decoded here.

    `version` is None for the legacy format. `loaded_keys` counts those that address lookup tables add behind
    the static ones. `blockhash_at` is the byte where the blockhash begins.
    """

    version: int | None
    required_signatures: int
    readonly_signed: int
    readonly_unsigned: int
    static_keys: tuple[SolanaKey, ...]
    blockhash: Blockhash
    blockhash_at: int
    instructions: tuple[SolanaInstruction, ...]
    loaded_keys: int

    @property
    def signers(self) -> tuple[SolanaKey, ...]:
        """Public keys whose signatures the message needs, the fee payer first."""
        return self.static_keys[: self.required_signatures]

    def is_writable(self, place: int) -> bool:
        """Whether the header lets a static key be written; False for a loaded one."""
        if place < self.required_signatures:
            return place < self.required_signatures - self.readonly_signed
        return place < len(self.static_keys) - self.readonly_unsigned


def parse_message(raw: bytes) -> SolanaMessage:
    """Read a serialized message. Raises ValueError naming what is wrong and at which byte."""
    cursor = _Cursor(raw)
    version = cursor.version()
    required, readonly_signed, readonly_unsigned = cursor.take(3)
    keys = tuple(SolanaKey(cursor.take(HASH_BYTES)) for _ in range(cursor.length()))
    if not 0 < required <= len(keys):
        raise ValueError(f"{required} signatures of {len(keys)} keys: from 1 to all of them are allowed")
    blockhash_at = cursor.at
    blockhash = Blockhash(cursor.take(HASH_BYTES))
    instructions = tuple(_instruction(cursor) for _ in range(cursor.length()))
    loaded = sum(_table(cursor) for _ in range(cursor.length())) if version is not None else 0
    cursor.end()
    return SolanaMessage(
        version=version,
        required_signatures=required,
        readonly_signed=readonly_signed,
        readonly_unsigned=readonly_unsigned,
        static_keys=keys,
        blockhash=blockhash,
        blockhash_at=blockhash_at,
        instructions=instructions,
        loaded_keys=loaded,
    )


def _instruction(cursor: "_Cursor") -> SolanaInstruction:
    (program,) = cursor.take(1)
    accounts = tuple(cursor.take(cursor.length()))
    return SolanaInstruction(program=program, accounts=accounts, data=cursor.take(cursor.length()))


def _table(cursor: "_Cursor") -> int:
    """Read past a lookup table; how many keys it adds."""
    cursor.take(HASH_BYTES)
    writable = cursor.take(cursor.length())
    return len(writable) + len(cursor.take(cursor.length()))


class _Cursor:
    def __init__(self, raw: bytes) -> None:
        self._raw = raw
        self.at = 0

    def take(self, count: int) -> bytes:
        taken = self._raw[self.at : self.at + count]
        if len(taken) != count:
            raise ValueError(f"the message ends at byte {len(self._raw)}: more is expected")
        self.at += count
        return taken

    def version(self) -> int | None:
        if not self._raw or self._raw[0] < _VERSIONED:
            return None
        version = self.take(1)[0] - _VERSIONED
        if version:
            raise ValueError(f"the message is of version {version}: legacy and 0 are allowed")
        return version

    def length(self) -> int:
        """A compact-u16, in its shortest spelling; the network takes no other."""
        value = 0
        for position in range(_COMPACT_U16_BYTES):
            byte = self.take(1)[0]
            value |= (byte & 0x7F) << (7 * position)
            if byte < _VERSIONED:
                if value > _U16_MAX or (position and not byte):
                    break
                return value
        raise ValueError(f"the length before byte {self.at} is not a compact-u16")

    def end(self) -> None:
        if self.at != len(self._raw):
            raise ValueError(f"{len(self._raw) - self.at} bytes follow the message at byte {self.at}")
