"""secp256k1 with the key where it lies: libsecp256k1 reads it through a pointer. Makes no object of a key.

coincurve's PrivateKey would keep it in a bytes object; this calls the library beneath it. The library
overwrites what it puts on its stack.
"""

from coincurve._libsecp256k1 import ffi, lib
from coincurve.context import GLOBAL_CONTEXT

from signer.decode.evm.recovery import address_of_public_key
from signer.domain.accounts import Address
from signer.domain.transactions import EvmSignature

KEY_BYTES = 32
DIGEST_BYTES = 32
_PUBLIC_BYTES = 65
_COMPACT_BYTES = 64


def address_of_key(key: memoryview) -> Address:
    """Return the address of a private key. Raises ValueError for 32 bytes that are none."""
    public = ffi.new("secp256k1_pubkey *")
    if len(key) != KEY_BYTES or not lib.secp256k1_ec_pubkey_create(GLOBAL_CONTEXT.ctx, public, _pointer(key)):
        raise ValueError("this is no secp256k1 key: 32 bytes from 1 to the order less one are allowed")
    raw = ffi.new("unsigned char[]", _PUBLIC_BYTES)
    size = ffi.new("size_t *", _PUBLIC_BYTES)
    lib.secp256k1_ec_pubkey_serialize(GLOBAL_CONTEXT.ctx, raw, size, public, lib.SECP256K1_EC_UNCOMPRESSED)
    return address_of_public_key(bytes(ffi.buffer(raw))[1:])


def sign_digest(key: memoryview, digest: bytes) -> EvmSignature:
    """Sign 32 bytes by RFC 6979; low s. Raises ValueError for what is no key or no digest."""
    signature = ffi.new("secp256k1_ecdsa_recoverable_signature *")
    if len(digest) != DIGEST_BYTES or len(key) != KEY_BYTES:
        raise ValueError("a key and a digest have 32 bytes each")
    context = GLOBAL_CONTEXT.ctx
    if not lib.secp256k1_ecdsa_sign_recoverable(
        context, signature, digest, _pointer(key), ffi.NULL, ffi.NULL
    ):
        raise ValueError("this is no secp256k1 key")
    compact = ffi.new("unsigned char[]", _COMPACT_BYTES)
    parity = ffi.new("int *")
    lib.secp256k1_ecdsa_recoverable_signature_serialize_compact(context, compact, parity, signature)
    raw = bytes(ffi.buffer(compact))
    return EvmSignature(
        r=int.from_bytes(raw[:32], "big"), s=int.from_bytes(raw[32:], "big"), y_parity=int(parity[0])
    )


def _pointer(key: memoryview) -> object:
    return ffi.from_buffer("unsigned char[]", key)
