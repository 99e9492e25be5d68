"""Keys of a mnemonic, as every hardware wallet derives them. For doubles: no phrase that holds money.

Source: BIP-39 (seed), BIP-32 (secp256k1), SLIP-10 (ed25519).
"""

import functools
import hashlib
import hmac
from collections.abc import Sequence

from coincurve import PrivateKey
from Crypto.Hash import RIPEMD160
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from signer.decode.evm.recovery import ORDER, address_of_public_key
from signer.domain.accounts import Address

HARDENED = 2**31


class Seed:
    """All keys of one mnemonic and passphrase. A passphrase is part of the key: another one, other keys."""

    def __init__(self, mnemonic: str, passphrase: str = "") -> None:
        self._seed = _stretch(mnemonic, passphrase)

    def secp256k1(self, path: Sequence[int]) -> PrivateKey:
        """Key at a BIP-32 path."""
        key, chain_code = _split(b"Bitcoin seed", self._seed)
        for step in path:
            key, chain_code = _secp256k1_child(key, chain_code, step)
        return PrivateKey(key)

    def ed25519(self, path: Sequence[int]) -> Ed25519PrivateKey:
        """Key at a SLIP-10 path; each step must be hardened, or it is a ValueError."""
        key, chain_code = _split(b"ed25519 seed", self._seed)
        for step in path:
            if step < HARDENED:
                raise ValueError("ed25519 has hardened steps only")
            key, chain_code = _split(chain_code, b"\0" + key + step.to_bytes(4, "big"))
        return Ed25519PrivateKey.from_private_bytes(key)

    def evm_address(self, path: Sequence[int]) -> Address:
        """Address of the key at a path, lower case."""
        return address_of_public_key(self.secp256k1(path).public_key.format(compressed=False)[1:])

    def root_fingerprint(self) -> bytes:
        """First 4 bytes of HASH160 of the root's public key: names the seed, gives nothing away."""
        public = self.secp256k1(()).public_key.format(compressed=True)
        return RIPEMD160.new(hashlib.sha256(public).digest()).digest()[:4]


@functools.lru_cache(maxsize=32)
def _stretch(mnemonic: str, passphrase: str) -> bytes:
    return hashlib.pbkdf2_hmac("sha512", mnemonic.encode(), b"mnemonic" + passphrase.encode(), 2_048)


def _secp256k1_child(key: bytes, chain_code: bytes, step: int) -> tuple[bytes, bytes]:
    # BIP-32 skips an index whose number falls outside the order; a chance of 2^-127.
    parent = b"\0" + key if step >= HARDENED else PrivateKey(key).public_key.format(compressed=True)
    tweak, code = _split(chain_code, parent + step.to_bytes(4, "big"))
    child = (int.from_bytes(tweak, "big") + int.from_bytes(key, "big")) % ORDER
    return child.to_bytes(32, "big"), code


def _split(key: bytes, message: bytes) -> tuple[bytes, bytes]:
    digest = hmac.digest(key, message, "sha512")
    return digest[:32], digest[32:]
