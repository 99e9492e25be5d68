"""The key that signs audit checkpoints: Transit ed25519, newest version. It signs statements only.

Its versions may be rotated at any time: each checkpoint names the version that signed it.
https://developer.hashicorp.com/vault/api-docs/secret/transit
"""

import base64
import binascii

from signer.adapters.audit_file.public_keys import PublicKeys, decode
from signer.adapters.vault.api import VaultApi
from signer.domain.checkpoints import Checkpoint, Statement
from signer.domain.errors import ConfigurationError, UnavailableError
from signer.domain.reasons import FailReason


class VaultCheckpointKey:
    """Implements `signer.ports.checkpoints.CheckpointKey`."""

    def __init__(self, vault: VaultApi, *, mount: str, name: str) -> None:
        self._vault = vault
        self._mount = mount
        self._name = name

    @property
    def name(self) -> str:
        """Name of the key in Transit."""
        return self._name

    async def sign(self, statement: Statement) -> Checkpoint:
        """Sign with the newest version. Raises UnavailableError, and VaultRefusedError for a wrong key."""
        path = f"{self._mount}/sign/{self._name}"
        message = base64.b64encode(statement.message()).decode("ascii")
        answer = await self._vault.write(path, {"input": message})
        prefix, _, text = str(answer.get("signature", "")).rpartition(":")
        version = prefix.removeprefix("vault:v")
        try:
            signature = base64.b64decode(text, validate=True)
            return Checkpoint(statement=statement, key_version=int(version), signature=signature)
        except (ValueError, binascii.Error):
            raise UnavailableError(
                FailReason.VAULT_FAULTY, f"Vault answered {path} with no signature"
            ) from None


async def public_keys(vault: VaultApi, *, mount: str, name: str) -> PublicKeys:
    """Every version that Vault still has. Raises ConfigurationError for what is no ed25519 key."""
    path = f"{mount}/keys/{name}"
    data = await vault.read(path)
    if data is None:
        raise ConfigurationError(f"Vault has no key {path}; `airlock-signer vault bootstrap` makes it")
    match data:
        case {"type": "ed25519", "keys": dict(versions)}:
            return PublicKeys(key=name, by_version=dict(_public(path, each) for each in versions.items()))
        case _:
            raise ConfigurationError(f"{path}: is no ed25519 key, and checkpoints are signed by one")


def _public(path: str, item: tuple[object, object]) -> tuple[int, bytes]:
    version, entry = item
    try:
        return int(str(version)), decode(entry.get("public_key") if isinstance(entry, dict) else None)
    except ValueError as error:
        raise ConfigurationError(f"{path}: version {version}: {error}") from None
