"""Who the device is to hosts, and the credentials by which it knows them again. Keeps no list of them.

A credential is the device's own MAC over the host's key and names: it is checked, not looked up. The secret
outlives restarts and programs, as on the device: of the public test mnemonic, since the double has no other.
"""

import hashlib
import hmac

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from trezorlib import messages

from signer.mock.devices.trezor.thp.coding import decode, encode


class Identity:
    """Static key and credential key of one device."""

    def __init__(self, mnemonic: str) -> None:
        self._secret = hashlib.sha256(b"airlock double " + mnemonic.encode()).digest()
        self._counter = 0
        self.static = X25519PrivateKey.from_private_bytes(self._secret)

    @property
    def public_key(self) -> bytes:
        """32 bytes that name the device to those whom it trusts."""
        return self.static.public_key().public_bytes_raw()

    def forget_hosts(self) -> None:
        """As its menu does: no credential of before is good any more."""
        self._counter += 1

    def issue(self, host_key: bytes, metadata: messages.ThpCredentialMetadata) -> bytes:
        """The credential of a host that was paired."""
        mac = self._mac(host_key, metadata)
        return encode(messages.ThpPairingCredential(cred_metadata=metadata, mac=mac))

    def recognise(self, host_key: bytes, credential: bytes | None) -> messages.ThpCredentialMetadata | None:
        """What the device noted about this host, or None for a stranger."""
        if not credential:
            return None
        try:
            stored = decode(messages.ThpPairingCredential, credential)
        except ValueError:
            return None
        good = hmac.compare_digest(self._mac(host_key, stored.cred_metadata), stored.mac)
        return stored.cred_metadata if good else None

    def _mac(self, host_key: bytes, metadata: messages.ThpCredentialMetadata) -> bytes:
        noted = messages.ThpAuthenticatedCredentialData(
            host_static_public_key=host_key, cred_metadata=metadata
        )
        key = hmac.digest(self._secret, self._counter.to_bytes(4, "big"), "sha256")
        return hmac.digest(key, encode(noted), "sha256")
