"""What must not be swapped on Solana: keys, blockhashes, heights. Values only; nothing is computed here."""

from dataclasses import dataclass
from typing import NewType

SolanaKey = NewType("SolanaKey", bytes)
"""Address of an account or program, 32 bytes."""

Blockhash = NewType("Blockhash", bytes)
"""What a message carries in its place: a recent blockhash, or the value of a nonce account; 32 bytes."""

BlockHeight = NewType("BlockHeight", int)
"""Blocks since genesis. Not the slot, which counts skipped ones, too."""

HASH_BYTES = 32
"""Length of a key and of a blockhash."""

SYSTEM_PROGRAM = SolanaKey(bytes(HASH_BYTES))
"""Owner of nonce accounts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedSolanaMessage:
    """A serialized message as it was signed, and the 64 bytes of one signer."""

    message: bytes
    signature: bytes
