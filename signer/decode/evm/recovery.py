"""Who made a signature. Refuses malleable (high-s) and malformed ones. Holds no key."""

from functools import lru_cache

from coincurve import PublicKey

from signer.decode.evm.keccak import keccak256
from signer.domain.accounts import Address
from signer.domain.transactions import EvmSignature

ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
"""Order of secp256k1 (SEC 2)."""


def recover_address(digest: bytes, signature: EvmSignature) -> Address:
    """Return the address whose key signed the 32-byte digest. Raises ValueError if none did."""
    require_well_formed(signature)
    compact = signature.r.to_bytes(32, "big") + signature.s.to_bytes(32, "big") + bytes((signature.y_parity,))
    try:
        key = PublicKey.from_signature_and_message(compact, digest, hasher=None)
    except ValueError:
        raise ValueError("signature does not belong to any key over this digest") from None
    return address_of_public_key(key.format(compressed=False)[1:])


@lru_cache(maxsize=64)
def address_of_public_key(key: bytes) -> Address:
    """Return the address of an uncompressed public key without its prefix, 64 bytes."""
    return Address(f"0x{keccak256(key)[-20:].hex()}")


def require_well_formed(signature: EvmSignature) -> None:
    """Raise ValueError unless 0 < r < n, 0 < s <= n/2 (EIP-2) and the parity is 0 or 1."""
    if not 0 < signature.r < ORDER:
        raise ValueError("signature r must be from 1 to the order of secp256k1 less one")
    if not 0 < signature.s <= ORDER // 2:
        raise ValueError("signature s must be from 1 to half the order of secp256k1 (low s, EIP-2)")
    if signature.y_parity not in {0, 1}:
        raise ValueError("signature y_parity must be 0 or 1")
