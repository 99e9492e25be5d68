"""Noise_XX_25519_AESGCM_SHA256, the answering side, with a static key that is masked for each handshake.

Written from the specification and not with the library that the host uses, so that two who agree are two.
Refuses what does not authenticate. Source: noiseprotocol.org, revision 34; THP specification (the mask).
"""

import hashlib
import hmac

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

KEY_BYTES = 32
_TAG_BYTES = 16
_NAME = b"Noise_XX_25519_AESGCM_SHA256".ljust(32, b"\0")


class NoiseError(Exception):
    """Not authentic, or of the wrong length."""


class Cipher:
    """One direction. Each text has the next number, so none can be left out or come twice."""

    def __init__(self, key: bytes) -> None:
        self._aes = AESGCM(key)
        self._number = 0

    def seal(self, text: bytes, covered: bytes = b"") -> bytes:
        """Encrypt and authenticate."""
        return self._aes.encrypt(self._next(), text, covered)

    def open(self, sealed: bytes, covered: bytes = b"") -> bytes:
        """Decrypt. Raises NoiseError for what is not the next text of the other side."""
        try:
            return self._aes.decrypt(self._next(), sealed, covered)
        except (InvalidTag, ValueError):
            raise NoiseError("not authentic") from None

    def _next(self) -> bytes:
        number, self._number = self._number, self._number + 1
        return bytes(4) + number.to_bytes(8, "big")


class Handshake:
    """`answer`, then `complete`; after that `receiving` and `sending` are the ciphers of the channel."""

    def __init__(self, static: X25519PrivateKey, prologue: bytes) -> None:
        self.digest = _hash(_NAME + prologue)
        self.receiving = self.sending = Cipher(bytes(KEY_BYTES))
        self._static = static
        self._ephemeral = X25519PrivateKey.generate()
        self._chain = _NAME
        self._cipher = self.receiving

    def answer(self, request: bytes) -> bytes:
        """Our ephemeral key, and our masked static one, to the host's ephemeral key."""
        host_ephemeral = request[:KEY_BYTES]
        self._mix(host_ephemeral)
        self._mix(request[KEY_BYTES:])
        ephemeral = _public(self._ephemeral)
        self._mix(ephemeral)
        self._agree(_shared(self._ephemeral, host_ephemeral))
        # The host recognises the device only if it knows its key already; to others it is another each time.
        mask = X25519PrivateKey.from_private_bytes(_hash(_public(self._static) + ephemeral))
        masked = self._seal(_shared(mask, _public(self._static)))
        self._agree(_shared(mask, _shared(self._static, host_ephemeral)))
        return ephemeral + masked + self._seal(b"")

    def complete(self, request: bytes) -> tuple[bytes, bytes]:
        """Return the host's static key and its payload. Raises NoiseError."""
        sealed_key = request[: KEY_BYTES + _TAG_BYTES]
        host_static = self._open(sealed_key)
        self._agree(_shared(self._ephemeral, host_static))
        payload = self._open(request[len(sealed_key) :])
        receiving, sending = _derive(self._chain, b"")
        self.receiving, self.sending = Cipher(receiving), Cipher(sending)
        return host_static, payload

    def _mix(self, data: bytes) -> None:
        self.digest = _hash(self.digest + data)

    def _agree(self, secret: bytes) -> None:
        self._chain, key = _derive(self._chain, secret)
        self._cipher = Cipher(key)

    def _seal(self, text: bytes) -> bytes:
        sealed = self._cipher.seal(text, self.digest)
        self._mix(sealed)
        return sealed

    def _open(self, sealed: bytes) -> bytes:
        text = self._cipher.open(sealed, self.digest)
        self._mix(sealed)
        return text


def _shared(private: X25519PrivateKey, public: bytes) -> bytes:
    try:
        return private.exchange(X25519PublicKey.from_public_bytes(public))
    except ValueError:
        raise NoiseError("no point of the curve, or one of low order") from None


def _public(private: X25519PrivateKey) -> bytes:
    return private.public_key().public_bytes_raw()


def _derive(chain: bytes, secret: bytes) -> tuple[bytes, bytes]:
    extracted = hmac.digest(chain, secret, "sha256")
    first = hmac.digest(extracted, b"\1", "sha256")
    return first, hmac.digest(extracted, first + b"\2", "sha256")


def _hash(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()
