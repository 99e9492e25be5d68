"""A forward reader of ABI-encoded calldata. Refuses every encoding but the canonical one.

Contracts are lenient: they follow any offset and ignore what they do not reach, so the same bytes can read as
one thing to a lenient decoder and do another on the chain. Here each byte is read once, in order; none stays.
Source: Solidity contract ABI specification, strict mode.
"""

from collections.abc import Container, Iterable
from typing import NoReturn

from signer.domain.accounts import Address
from signer.domain.decisions import Violation
from signer.domain.reasons import DenyReason

WORD = 32
SELECTOR = 4

_ADDRESS_PADDING = bytes(12)


class NotReadableError(Exception):
    """The bytes are not what they must be. Carries the violation; never leaves `decode`."""

    def __init__(self, violation: Violation) -> None:
        super().__init__(violation.actual)
        self.violation = violation


class CalldataReader:
    """Reads one call's arguments word by word, beginning after its selector.

    `base` is where `data` begins in the transaction's calldata, so that errors name a byte to look up.
    Every method takes what it reads as a name for people and raises NotReadableError.
    """

    __slots__ = ("_at", "_base", "_data")

    def __init__(self, data: bytes, base: int = 0) -> None:
        self._data = data
        self._at = SELECTOR
        self._base = base

    @property
    def selector(self) -> bytes:
        """First four bytes; fewer when the call is shorter."""
        return self._data[:SELECTOR]

    def uint(self, what: str, bits: int = 256) -> int:
        """Read an unsigned integer."""
        value = int.from_bytes(self._word(what), "big")
        if value >> bits:
            self._refuse(what, f"uint{bits}", f"{value:#x}", self._at - WORD)
        return value

    def address(self, what: str) -> Address:
        """Read an address: twelve zero bytes and twenty of its own."""
        word = self._word(what)
        if word[:12] != _ADDRESS_PADDING:
            self._refuse(what, "12 zero bytes before the address", word[:12].hex(), self._at - WORD)
        return Address(f"0x{word[12:].hex()}")

    def expect(self, value: int, what: str) -> None:
        """Read a word that can only be `value`: a canonical offset, a length, a disabled option."""
        found = int.from_bytes(self._word(what), "big")
        if found != value:
            self._refuse(what, f"{value:#x}", f"{found:#x}", self._at - WORD)

    def byte_string(self, what: str, lengths: Container[int] | None = None) -> bytes:
        """Read a length, one of `lengths` if given, and as many bytes, padded with zeros to whole words."""
        length = self.uint(f"length of {what}")
        if lengths is not None and length not in lengths:
            self.refuse(f"length of {what}", f"one of {lengths}", f"{length}")
        start = self._at
        end = start + length
        padded = start + (length + WORD - 1) // WORD * WORD
        if padded > len(self._data):
            self._refuse(what, f"at most {len(self._data) - start} bytes", f"{length} bytes", start - WORD)
        if any(self._data[end:padded]):
            self._refuse(what, "zero padding", self._data[end:padded].hex(), end)
        self._at = padded
        return self._data[start:end]

    def call(self, what: str) -> "CalldataReader":
        """Read a byte string that is a call of its own."""
        start = self._at + WORD
        return CalldataReader(self.byte_string(what), self._base + start)

    def end(self) -> None:
        """Make sure that nothing is left."""
        if self._at != len(self._data):
            self._refuse(
                "calldata", "nothing after the last argument", f"{len(self._data) - self._at} bytes", self._at
            )

    def refuse_selector(self, allowed: Iterable[bytes]) -> NoReturn:
        """Refuse the call for its selector."""
        names = " or ".join(f"0x{selector.hex()}" for selector in allowed)
        self._refuse("selector", names, f"0x{self.selector.hex()}", 0)

    def refuse(self, what: str, allowed: str, actual: str) -> NoReturn:
        """Refuse the word that was read last, for what it means."""
        self._refuse(what, allowed, actual, self._at - WORD)

    def _word(self, what: str) -> bytes:
        word = self._data[self._at : self._at + WORD]
        if len(word) != WORD:
            self._refuse(what, f"{WORD} bytes", f"{len(word)} bytes", self._at)
        self._at += WORD
        return word

    def _refuse(self, what: str, allowed: str, actual: str, at: int) -> NoReturn:
        raise NotReadableError(
            Violation(
                reason=DenyReason.NOT_UNDERSTOOD,
                rule="decode",
                limit=f"{what}: {allowed}",
                actual=f"{actual} at byte {self._base + at}",
                unit="calldata",
            )
        )
