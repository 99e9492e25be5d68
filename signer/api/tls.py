"""Mutual TLS of the server: files, checks, reload under way. Refuses RSA, and clients without a certificate.

gRPC's server takes TLS 1.2 too. Two belts shut it out: an ECDSA certificate with a TLS 1.2 suite list that
needs RSA (settings.harden_environment), and `Identities`, which looks at what was negotiated.
"""

import threading
from dataclasses import dataclass
from pathlib import Path

import grpc
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from signer.api.revocation import Revocations
from signer.domain.errors import ConfigurationError
from signer.ports.events import EventLog


@dataclass(frozen=True, slots=True, kw_only=True)
class TlsFiles:
    """PEM files. `client_authority` signs clients; `revocation_list` is its CRL."""

    certificate: Path
    key: Path
    client_authority: Path
    revocation_list: Path | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Material:
    key: bytes
    certificate: bytes
    client_authority: bytes


class ServerTls:
    """The certificates in force. New files are taken over whole or not at all, and the log says why."""

    def __init__(self, files: TlsFiles, *, revocations: Revocations, log: EventLog) -> None:
        self._files = files
        self._revocations = revocations
        self._log = log
        self._lock = threading.Lock()
        self._stamps = self._stamp()
        self._material = self._handed = self._load()

    def credentials(self) -> grpc.ServerCredentials:
        """Server credentials that look at the files again at every handshake."""
        return grpc.dynamic_ssl_server_credentials(
            _configuration(self._material),
            self._at_handshake,  # type: ignore[arg-type]  # None means unchanged; the stubs forgot it
            require_client_authentication=True,
        )

    def refresh(self) -> None:
        """Take changed files over; broken ones are logged and leave the old ones in force. Never raises."""
        with self._lock:
            try:
                stamps = self._stamp()
                if stamps == self._stamps:
                    return
                self._stamps = stamps
                self._material = self._load()
            except ConfigurationError as error:
                self._log.event("tls.reload_refused", problem=str(error))
            else:
                self._log.event("tls.reloaded")

    def _at_handshake(self) -> "grpc.ServerCertificateConfiguration | None":
        # gRPC calls this on a thread of its own; None means that what it was given last still holds.
        self.refresh()
        with self._lock:
            if self._material is self._handed:
                return None
            self._handed = self._material
            return _configuration(self._handed)

    def _load(self) -> _Material:
        material = _Material(
            key=_read(self._files.key),
            certificate=_read(self._files.certificate),
            client_authority=_read(self._files.client_authority),
        )
        _check(self._files, material)
        if self._files.revocation_list is not None:
            self._revocations.load(self._files.revocation_list, material.client_authority)
        return material

    def _stamp(self) -> tuple[tuple[int, int, int], ...]:
        files = (
            self._files.key,
            self._files.certificate,
            self._files.client_authority,
            self._files.revocation_list,
        )
        return tuple(_stat(path) for path in files if path is not None)


def _check(files: TlsFiles, material: _Material) -> None:
    try:
        certificate = x509.load_pem_x509_certificate(material.certificate)
    except ValueError:
        raise ConfigurationError(f"{files.certificate}: is no PEM certificate") from None
    try:
        key = serialization.load_pem_private_key(material.key, password=None)
    except (ValueError, TypeError):
        raise ConfigurationError(f"{files.key}: is no PEM private key without a password") from None
    if not isinstance(certificate.public_key(), ec.EllipticCurvePublicKey):
        raise ConfigurationError(
            f"{files.certificate}: only an ECDSA certificate is allowed, since TLS 1.2 cannot be shut "
            "out with another kind; make one with `airlock-signer dev-pki DIR` or with your authority (P-256)"
        )
    if key.public_key() != certificate.public_key():
        raise ConfigurationError(f"{files.key}: is not the key of {files.certificate}")
    try:
        authorities = x509.load_pem_x509_certificates(material.client_authority)
    except ValueError:
        authorities = []
    if not authorities:
        raise ConfigurationError(f"{files.client_authority}: holds no PEM certificate")


def _configuration(material: _Material) -> "grpc.ServerCertificateConfiguration":
    pair = (material.key, material.certificate)
    return grpc.ssl_server_certificate_configuration([pair], root_certificates=material.client_authority)


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ConfigurationError(f"{path}: cannot be read: {error.strerror}") from error


def _stat(path: Path) -> tuple[int, int, int]:
    try:
        stat = path.stat()
    except OSError as error:
        raise ConfigurationError(f"{path}: cannot be read: {error.strerror}") from error
    return stat.st_mtime_ns, stat.st_size, stat.st_ino
