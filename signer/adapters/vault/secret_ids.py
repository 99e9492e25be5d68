"""Hands a new secret id to a program: wrapped by Vault, so that only who opens it first can read it.

API: https://developer.hashicorp.com/vault/api-docs/auth/approle (`role/:name/secret-id`).
"""

import os
from pathlib import Path

from signer.adapters.vault.api import VaultApi, VaultRefusedError
from signer.domain.errors import ConfigurationError


async def deliver_secret_id(vault: VaultApi, *, mount: str, role: str, to: Path, ttl_s: int) -> None:
    """Put the wrapping of a new secret id of `role` into the file `to` (mode 0600, whole or not at all).

    Whoever runs this never sees the secret id. Raises UnavailableError, or ConfigurationError naming the role
    or the file.
    """
    path = f"auth/{mount}/role/{role}/secret-id"
    try:
        wrapped = await vault.write_wrapped(path, {}, ttl_s=ttl_s)
    except VaultRefusedError as error:
        raise ConfigurationError(f"role {role}: {error}; allowed is an AppRole of mount {mount}") from error
    beside = to.with_name(f".{to.name}.{os.getpid()}")
    try:
        descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(wrapped.token)
            file.flush()
            # The program that reads it may run under another account than whoever delivers it.
            _same_owner(descriptor, to.parent)
            os.fsync(descriptor)
        beside.replace(to)
    except OSError as error:
        beside.unlink(missing_ok=True)
        raise ConfigurationError(f"{to}: cannot be written: {error.strerror}") from error


def _same_owner(descriptor: int, folder: Path) -> None:
    owner = folder.stat()
    if os.geteuid() == 0:
        # Not by its name: the folder's owner could have put a link to another file there by now.
        os.fchown(descriptor, owner.st_uid, owner.st_gid)
