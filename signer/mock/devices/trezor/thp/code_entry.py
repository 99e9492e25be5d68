"""Pairing by a code: both sides prove that they know it, and nobody between them learns it. Device's side.

Source: CPace with X25519 (draft-irtf-cfrg-cpace) over the code and the handshake's digest; THP specification.
"""

import hashlib
import hmac
import secrets

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from trezorlib import messages
from trezorlib.thp.curve25519 import elligator2

_DIGITS = 6
_BLOCK_BYTES = 128
_KEY_BYTES = 32
_SECRET_BYTES = 16
_DOMAIN = b"CPace255"


class CodeEntry:
    """`commitment` goes out first, so that the device cannot choose a code that suits somebody between."""

    def __init__(self, handshake: bytes) -> None:
        self.secret = secrets.token_bytes(_SECRET_BYTES)
        self.code = ""
        self._handshake = handshake
        self._private = X25519PrivateKey.generate()

    @property
    def commitment(self) -> bytes:
        """Digest of the secret that is told at the end."""
        return hashlib.sha256(self.secret).digest()

    def challenged(self, challenge: bytes) -> bytes:
        """Decide on the code, and return our public key of CPace."""
        kind = bytes((messages.ThpPairingMethod.CodeEntry,))
        number = hashlib.sha256(kind + self._handshake + self.secret + challenge).digest()
        self.code = f"{int.from_bytes(number, 'big') % 10**_DIGITS:0{_DIGITS}}"
        return self._multiply(elligator2(hashlib.sha512(self._generator()).digest()[:_KEY_BYTES]))

    def proves(self, host_key: bytes, tag: bytes) -> bool:
        """Whether the host knew the code. Raises ValueError for a key that is none."""
        return hmac.compare_digest(hashlib.sha256(self._multiply(host_key)).digest(), tag)

    def _multiply(self, point: bytes) -> bytes:
        return self._private.exchange(X25519PublicKey.from_public_bytes(point))

    def _generator(self) -> bytes:
        begin = _prefixed(_DOMAIN) + _prefixed(self.code.encode())
        padding = bytes(_BLOCK_BYTES - len(begin) - 1)
        return begin + _prefixed(padding) + _prefixed(self._handshake) + _prefixed(b"")


def _prefixed(data: bytes) -> bytes:
    return bytes((len(data),)) + data
