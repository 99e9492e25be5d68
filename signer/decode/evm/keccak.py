"""keccak-256 as Ethereum uses it (not SHA3-256)."""

import sha3


def keccak256(data: bytes) -> bytes:
    """Return the 32 bytes of the hash."""
    digest: bytes = sha3.keccak_256(data).digest()
    return digest
