"""What the Solana application sees in a message: who must sign it and whether it can show it in words."""

from collections.abc import Sequence
from dataclasses import dataclass

_SYSTEM_PROGRAM = bytes(32)
_TRANSFER = b"\x02\0\0\0"
_TRANSFER_BYTES = 12
_V0 = 0x80
_OFFCHAIN = b"\xffsolana offchain"
_DOMAIN_BYTES = 32
_ASCII = 0


class MalformedError(Exception):
    """Not a message of this kind."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Read:
    """`signers` must sign; `clear`: the application can show it in words, here `lines`."""

    signers: Sequence[bytes]
    clear: bool
    lines: Sequence[str] = ()


class _Reader:
    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    @property
    def ended(self) -> bool:
        return self._at == len(self._data)

    def take(self, count: int) -> bytes:
        taken = self._data[self._at : self._at + count]
        if len(taken) < count:
            raise MalformedError
        self._at += count
        return taken

    def byte(self) -> int:
        return self.take(1)[0]

    def number(self) -> int:
        """A compact-u16: seven bits a byte, lowest first."""
        value = 0
        for shift in (0, 7, 14):
            byte = self.byte()
            value |= (byte & 0x7F) << shift
            if not byte & 0x80:
                return value
        raise MalformedError


def read_message(message: bytes) -> Read:
    """Read a legacy or v0 message. Raises MalformedError."""
    reader = _Reader(message)
    first = reader.byte()
    versioned = bool(first & _V0)
    if versioned and first != _V0:
        raise MalformedError
    required = reader.byte() if versioned else first
    reader.take(2)
    keys = [reader.take(32) for _ in range(reader.number())]
    if not 0 < required <= len(keys):
        raise MalformedError
    reader.take(32)
    clear = True
    lines = []
    for _ in range(reader.number()):
        program = reader.byte()
        reader.take(reader.number())
        data = reader.take(reader.number())
        known = program < len(keys) and keys[program] == _SYSTEM_PROGRAM
        clear &= known and data.startswith(_TRANSFER) and len(data) == _TRANSFER_BYTES
        lines.append(f"Transfer {int.from_bytes(data[4:], 'little')} lamports")
    tables = reader.number() if versioned else 0
    for _ in range(tables):
        reader.take(32)
        reader.take(reader.number())
        reader.take(reader.number())
    if not reader.ended:
        raise MalformedError
    return Read(signers=keys[:required], clear=clear and not tables, lines=lines)


def read_offchain(message: bytes) -> Read:
    """Read an off-chain message of version 0. Raises MalformedError."""
    reader = _Reader(message)
    if reader.take(len(_OFFCHAIN)) != _OFFCHAIN or reader.byte():
        raise MalformedError
    reader.take(_DOMAIN_BYTES)
    form = reader.byte()
    signers = [reader.take(32) for _ in range(reader.byte())]
    text = reader.take(int.from_bytes(reader.take(2), "little"))
    if not reader.ended:
        raise MalformedError
    clear = form == _ASCII
    if clear and not (text.isascii() and text.decode("ascii").isprintable()):
        raise MalformedError
    return Read(signers=signers, clear=clear, lines=(text.decode("ascii"),) if clear else ())
