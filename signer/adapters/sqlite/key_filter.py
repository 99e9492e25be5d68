"""Which idempotency keys were certainly never used: a new one needs no look into the ledger.

A Bloom filter. It says "perhaps" of few new keys and never "no" of a used one. Whoever hears "perhaps" looks,
and the unique index of the keys has the last word. One that was released stays in it.
"""

import sqlite3
from collections.abc import Iterable

from signer.domain.transactions import ClientName, IdempotencyKey

_BITS = 23
"""2^23 bits are 1 MiB: with a million keys in it, it says "perhaps" of one new key in twenty."""
_MASK = (1 << _BITS) - 1
_USED = "SELECT client, idempotency_key FROM transactions WHERE state <> 'released'"


class KeyFilter:
    """Two bits for each key. Python's hash of it is salted, so nobody can aim at them."""

    def __init__(self, used: Iterable[tuple[ClientName, IdempotencyKey]] = ()) -> None:
        self._bytes = bytearray(1 << (_BITS - 3))
        for client, key in used:
            self.add(client, key)

    def add(self, client: ClientName, key: IdempotencyKey) -> None:
        """Say "perhaps" of this key from now on."""
        value = hash((client, key))
        for bit in (value & _MASK, value >> _BITS & _MASK):
            self._bytes[bit >> 3] |= 1 << (bit & 7)

    def may_have(self, client: ClientName, key: IdempotencyKey) -> bool:
        """False: it was certainly never added."""
        value = hash((client, key))
        first, second = value & _MASK, value >> _BITS & _MASK
        held = self._bytes
        return bool(held[first >> 3] >> (first & 7) & held[second >> 3] >> (second & 7) & 1)


def load_key_filter(connection: sqlite3.Connection) -> KeyFilter:
    """Filter of every key that the file holds; about a second for a million."""
    return KeyFilter(connection.execute(_USED))
