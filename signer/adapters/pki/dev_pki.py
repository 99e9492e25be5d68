"""Writes an authority and the three certificates of a local setup. Overwrites nothing."""

import os
from collections.abc import Sequence
from pathlib import Path

from signer.adapters.pki.authority import Authority, Issued
from signer.domain.errors import ConfigurationError
from signer.domain.time import UnixMs

SIGNER_URI = "spiffe://airlock.local/signer"
TRADER_URI = "spiffe://airlock.local/trader"
ADMIN_URI = "spiffe://airlock.local/admin"
LOCAL_HOSTS = ("localhost", "signer", "127.0.0.1", "::1")
_PRIVATE = 0o600
_PUBLIC = 0o644


def write_dev_pki(folder: Path, *, now: UnixMs, hosts: Sequence[str] = LOCAL_HOSTS) -> tuple[Path, ...]:
    """Write `ca`, `server`, `trader` and `admin`, each as .pem and .key (mode 0600); returns the files.

    Raises ConfigurationError naming the file that is in the way; then nothing was written.
    """
    authority = Authority(name="Airlock development CA", now=now)
    files = _files(folder, "ca", authority.own)
    files |= _files(folder, "server", authority.server(uri=SIGNER_URI, hosts=hosts))
    files |= _files(folder, "trader", authority.client(TRADER_URI))
    files |= _files(folder, "admin", authority.client(ADMIN_URI))
    for path in files:
        if path.exists():
            raise ConfigurationError(f"{path} exists; nothing is overwritten, an empty folder is allowed")
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        for path, content in files.items():
            _write(path, content, _PRIVATE if path.suffix == ".key" else _PUBLIC)
    except OSError as error:
        raise ConfigurationError(f"{error.filename}: cannot be written: {error.strerror}") from error
    return tuple(files)


def _files(folder: Path, name: str, issued: Issued) -> dict[Path, bytes]:
    return {folder / f"{name}.pem": issued.certificate, folder / f"{name}.key": issued.key}


def _write(path: Path, content: bytes, mode: int) -> None:
    # O_EXCL: what appeared in the meantime is not ours; the mode is right from the first byte on.
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
