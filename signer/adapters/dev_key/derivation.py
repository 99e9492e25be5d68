"""Keys from the public test mnemonic (BIP-39, BIP-32, SLIP-10). Knows that one mnemonic and no other."""

import functools
import hashlib
import hmac

from coincurve import PrivateKey

TEST_MNEMONIC = "test test test test test test test test test test test junk"
"""Anvil's and Hardhat's; everybody knows its keys."""

_HARDENED = 2**31
_SECP256K1_ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141


def ethereum_key(index: int) -> bytes:
    """Private key at m/44'/60'/0'/0/index, 32 bytes."""
    key, chain_code = _master(b"Bitcoin seed")
    for step in (44 + _HARDENED, 60 + _HARDENED, _HARDENED, 0, index):
        key, chain_code = _secp256k1_child(key, chain_code, step)
    return key


def solana_key(index: int) -> bytes:
    """Ed25519 seed at m/44'/501'/index'/0', 32 bytes."""
    key, chain_code = _master(b"ed25519 seed")
    for step in (44, 501, index, 0):
        key, chain_code = _split(chain_code, b"\0" + key + (step + _HARDENED).to_bytes(4, "big"))
    return key


@functools.cache
def _master(curve: bytes) -> tuple[bytes, bytes]:
    seed = hashlib.pbkdf2_hmac("sha512", TEST_MNEMONIC.encode(), b"mnemonic", 2_048)
    return _split(curve, seed)


def _secp256k1_child(key: bytes, chain_code: bytes, step: int) -> tuple[bytes, bytes]:
    # BIP-32 skips an index whose number falls outside the order; a chance of 2^-127.
    parent = b"\0" + key if step >= _HARDENED else PrivateKey(key).public_key.format(compressed=True)
    tweak, code = _split(chain_code, parent + step.to_bytes(4, "big"))
    child = (int.from_bytes(tweak, "big") + int.from_bytes(key, "big")) % _SECP256K1_ORDER
    return child.to_bytes(32, "big"), code


def _split(key: bytes, message: bytes) -> tuple[bytes, bytes]:
    digest = hmac.digest(key, message, "sha512")
    return digest[:32], digest[32:]
