"""Whether a certificate and a key belong together. gRPC takes any two files, and fails at each handshake."""

import ssl
from pathlib import Path

from trader.domain.errors import ConfigurationError


def check_pair(certificate: Path, key: Path) -> None:
    """Raise ConfigurationError naming both files unless they are readable and one pair."""
    try:
        # Without a password OpenSSL asks for one at the terminal, and everything waits for the answer.
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_cert_chain(certificate, key, password="")
    except (OSError, ssl.SSLError) as error:
        why = error.strerror or type(error).__name__
        raise ConfigurationError(
            f"{certificate} and {key}: {why}; a readable PEM certificate and its key"
            " without a passphrase are allowed"
        ) from None
