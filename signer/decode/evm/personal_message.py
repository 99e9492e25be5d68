"""Digest of an Ethereum personal message (EIP-191, version 0x45). Can never be that of a transaction."""

from signer.decode.evm.keccak import keccak256

_PREFIX = b"\x19Ethereum Signed Message:\n"


def personal_message_digest(text: str) -> bytes:
    """Return the 32 bytes that `personal_sign` signs for a text."""
    message = text.encode()
    return keccak256(_PREFIX + str(len(message)).encode() + message)
