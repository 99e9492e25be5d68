"""The only file of the signer that touches the environment."""

import os

# An ECDSA certificate has no cipher in common with this TLS 1.2 suite, so only TLS 1.3 handshakes succeed.
_NO_TLS_1_2 = {"GRPC_SSL_CIPHER_SUITES": "ECDHE-RSA-AES256-GCM-SHA384"}


def harden_environment() -> None:
    """Shut TLS 1.2 out of gRPC. Works only before grpc is imported for the first time."""
    os.environ.update(_NO_TLS_1_2)
