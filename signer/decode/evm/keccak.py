"""keccak-256 as Ethereum uses it (not SHA3-256)."""

from eth_hash.backends.pycryptodome import keccak256

__all__ = ["keccak256"]
