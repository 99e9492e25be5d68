"""A certificate and its key as two files that change together. Refuses nothing but what is no pair.

Two renames are not one: a crash between them is finished by `finish_interrupted` before the files are read.
"""

import os
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import serialization

from signer.adapters.pki.authority import Issued
from signer.domain.errors import ConfigurationError

_KEY_MODE, _CERTIFICATE_MODE = 0o600, 0o644


def replace_pair(certificate: Path, key: Path, issued: Issued) -> None:
    """Put a new pair in place, durably; whoever reads meanwhile finds the old pair, the new one, or no pair.

    Raises ConfigurationError naming the file that cannot be written.
    """
    try:
        _write(_next(key), issued.key, _KEY_MODE)
        _write(_next(certificate), issued.certificate, _CERTIFICATE_MODE)
        # From here on `finish_interrupted` goes forward: the new certificate is there, and its key is beside.
        _next(certificate).replace(certificate)
        _next(key).replace(key)
        for folder in {certificate.parent, key.parent}:
            _sync(folder)
    except OSError as error:
        raise ConfigurationError(f"{error.filename or certificate}: {error.strerror}") from error


def finish_interrupted(certificate: Path, key: Path) -> None:
    """End what a crash interrupted: take the new key when its certificate is in place, else forget both."""
    if _next(key).exists():
        if _is_pair(certificate, _next(key)):
            _next(key).replace(key)
        else:
            _next(key).unlink()
    _next(certificate).unlink(missing_ok=True)


def _is_pair(certificate: Path, key: Path) -> bool:
    try:
        public = x509.load_pem_x509_certificate(certificate.read_bytes()).public_key()
        private = serialization.load_pem_private_key(key.read_bytes(), password=None)
    except (OSError, ValueError, TypeError):
        return False
    return private.public_key() == public


def _next(path: Path) -> Path:
    return path.with_name(f"{path.name}.next")


def _write(path: Path, content: bytes, mode: int) -> None:
    path.unlink(missing_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(descriptor)


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
