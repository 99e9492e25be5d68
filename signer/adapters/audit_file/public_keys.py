"""Public keys of the checkpoints, by version, and the file in which an auditor pins them. Holds no secret."""

import base64
import binascii
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from signer.domain.checkpoints import Checkpoint
from signer.domain.errors import ConfigurationError

_KEY_BYTES = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class PublicKeys:
    """Every version of one ed25519 key: 32 bytes each."""

    key: str
    by_version: Mapping[int, bytes]

    def check(self, checkpoint: Checkpoint) -> None:
        """Raise ValueError unless this key signed the checkpoint."""
        statement, version = checkpoint.statement, checkpoint.key_version
        if statement.key != self.key:
            raise ValueError(f"it names the key {statement.key!r}, the pinned one is {self.key!r}")
        public = self.by_version.get(version)
        if public is None:
            known = ", ".join(map(str, sorted(self.by_version)))
            raise ValueError(f"it is signed by version {version} of {self.key}, pinned are versions {known}")
        try:
            Ed25519PublicKey.from_public_bytes(public).verify(checkpoint.signature, statement.message())
        except InvalidSignature:
            raise ValueError(f"its signature is not that of {self.key} version {version}") from None


def dump(keys: PublicKeys) -> str:
    """Text of a file of public keys."""
    by_version = {str(version): base64.b64encode(raw).decode() for version, raw in keys.by_version.items()}
    return json.dumps({"key": keys.key, "type": "ed25519", "public_keys": by_version}, indent=2) + "\n"


def load(path: Path) -> PublicKeys:
    """Read a file of public keys. Raises ConfigurationError saying what is allowed."""
    allowed = "allowed is what `airlock-signer audit public-key` writes"
    try:
        document = json.loads(path.read_bytes())
    except OSError as error:
        raise ConfigurationError(f"{path}: cannot be read: {error.strerror}; {allowed}") from error
    except ValueError as error:
        raise ConfigurationError(f"{path}: is no JSON; {allowed}") from error
    match document:
        case {"key": str(name), "type": "ed25519", "public_keys": dict(by_version)} if by_version:
            try:
                keys = {int(version): decode(text) for version, text in by_version.items()}
            except ValueError as error:
                raise ConfigurationError(f"{path}: public_keys: {error}; {allowed}") from error
            return PublicKeys(key=name, by_version=keys)
        case _:
            raise ConfigurationError(f"{path}: is no file of public keys; {allowed}")


def decode(text: object) -> bytes:
    """Bytes of a public key in base64. Raises ValueError."""
    try:
        raw = base64.b64decode(text, validate=True) if isinstance(text, str) else b""
    except binascii.Error:
        raw = b""
    if len(raw) != _KEY_BYTES:
        raise ValueError(f"a public key is {_KEY_BYTES} bytes in base64")
    return raw
