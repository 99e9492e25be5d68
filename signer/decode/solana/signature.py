"""Whether a signature is one by this key over this message. Arithmetic on values; signs nothing."""

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from signer.domain.solana import SolanaKey


def require_signature(key: SolanaKey, message: bytes, signature: bytes) -> None:
    """Raise ValueError unless `signature` is ed25519 (RFC 8032) by `key` over the whole message."""
    try:
        Ed25519PublicKey.from_public_bytes(key).verify(signature, message)
    except InvalidSignature:
        raise ValueError("made by another key, or over another message") from None
