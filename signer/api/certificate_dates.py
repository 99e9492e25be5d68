"""When a certificate ends. Reads PEM files only."""

from pathlib import Path

from cryptography import x509

from signer.domain.errors import ConfigurationError
from signer.domain.time import MS_PER_S, UnixMs


def certificate_end(path: Path) -> UnixMs:
    """End of the first certificate in the file. Raises ConfigurationError."""
    try:
        certificate = x509.load_pem_x509_certificate(path.read_bytes())
    except (OSError, ValueError) as error:
        raise ConfigurationError(f"{path}: is no PEM certificate") from error
    return end_of(certificate)


def end_of(certificate: x509.Certificate) -> UnixMs:
    """Last moment of validity, unix milliseconds."""
    return UnixMs(int(certificate.not_valid_after_utc.timestamp()) * MS_PER_S)
