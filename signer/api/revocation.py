"""Which client certificates were taken back: the serials of a CRL that the client authority signed.

gRPC itself checks no list. A list that cannot be verified is refused; the one before it stays in force.
"""

from pathlib import Path

from cryptography import x509

from signer.domain.errors import ConfigurationError


class Revocations:
    """The list in force; empty until one is loaded."""

    def __init__(self) -> None:
        self._revoked: frozenset[tuple[bytes, int]] = frozenset()

    def is_revoked(self, issuer: bytes, serial: int) -> bool:
        """Whether the authority (DER name) took this serial back."""
        return (issuer, serial) in self._revoked

    def load(self, path: Path, authority_pem: bytes) -> None:
        """Put the list at `path` in force. Raises ConfigurationError naming the file and what is allowed."""
        try:
            crl = x509.load_pem_x509_crl(path.read_bytes())
        except (OSError, ValueError) as error:
            raise ConfigurationError(f"{path}: is no PEM certificate revocation list") from error
        authority = next(
            (ca for ca in x509.load_pem_x509_certificates(authority_pem) if ca.subject == crl.issuer), None
        )
        if authority is None or not _is_signed_by(crl, authority):
            raise ConfigurationError(
                f"{path}: is not signed by the client authority; only its own list is allowed"
            )
        issuer = crl.issuer.public_bytes()
        self._revoked = frozenset((issuer, entry.serial_number) for entry in crl)


def _is_signed_by(crl: x509.CertificateRevocationList, authority: x509.Certificate) -> bool:
    key = authority.public_key()
    try:
        return crl.is_signature_valid(key)  # type: ignore[arg-type]  # a CA key of another kind raises TypeError
    except TypeError:
        return False
