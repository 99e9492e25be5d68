"""The only file of the signer that touches the environment."""

import os

from signer.domain.errors import ConfigurationError

# An ECDSA certificate has no cipher in common with this TLS 1.2 suite, so only TLS 1.3 handshakes succeed.
_NO_TLS_1_2 = {"GRPC_SSL_CIPHER_SUITES": "ECDHE-RSA-AES256-GCM-SHA384"}
_REDIRECTIONS = ("LEDGER_PROXY_", "TREZOR_PATH")


def harden_environment() -> None:
    """Shut TLS 1.2 out of gRPC. Works only before grpc is imported for the first time."""
    os.environ.update(_NO_TLS_1_2)


def refuse_redirected_devices() -> None:
    """Refuse to use devices where the environment could put another in their place.

    Our adapters read none of these variables; the libraries beneath them do. Raises ConfigurationError naming
    those that are set.
    """
    found = sorted(name for name in os.environ if name.startswith(_REDIRECTIONS))
    if found:
        raise ConfigurationError(
            f"environment: {', '.join(found)} would let others choose the device that signs; allowed is "
            "none of them, the device is named in signer.toml"
        )
