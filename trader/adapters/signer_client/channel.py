"""The way to the signer: mutual TLS over TCP; refuses plaintext but on a Unix socket, if told so by name."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import grpc
from grpc import aio

from trader.domain.errors import ConfigurationError

_MAX_MESSAGE_BYTES = 128 * 1024
_MAX_METADATA_BYTES = 64 * 1024  # refusals travel there; the default of 8 KiB would turn them into overload
_KEEPALIVE_MS = 30_000
_MAX_RECONNECT_MS = 2_000


@dataclass(frozen=True, slots=True, kw_only=True)
class TlsFiles:
    """PEM files: the authority that vouches for the signer, and our own certificate with its key."""

    authority: Path
    certificate: Path
    key: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class SignerTarget:
    """Where the signer listens: `host:port` with TLS files, or `unix:/path` with plaintext allowed by name.

    `server_name` is the name that the signer's certificate must carry when it is not the host's.
    """

    address: str
    tls: TlsFiles | None
    server_name: str | None = None
    plaintext_on_unix_socket: bool = False


@asynccontextmanager
async def signer_channel(target: SignerTarget) -> AsyncIterator[aio.Channel]:
    """A channel, closed at the end of the block. It connects when the first call is made."""
    async with _open(target) as channel:
        yield channel


def _open(target: SignerTarget) -> aio.Channel:
    options: list[tuple[str, str | int]] = [
        ("grpc.max_receive_message_length", _MAX_MESSAGE_BYTES),
        ("grpc.max_metadata_size", _MAX_METADATA_BYTES),
        ("grpc.absolute_max_metadata_size", _MAX_METADATA_BYTES),
        ("grpc.keepalive_time_ms", _KEEPALIVE_MS),
        ("grpc.max_reconnect_backoff_ms", _MAX_RECONNECT_MS),
        ("grpc.enable_retries", 0),  # the engine owns repeats: each is the same persisted key
    ]
    if target.tls is None:
        if not (target.plaintext_on_unix_socket and target.address.startswith("unix:")):
            raise ConfigurationError(
                f"signer {target.address!r} without certificates: allowed only for a `unix:` address"
                " with plaintext_on_unix_socket = true"
            )
        return aio.insecure_channel(target.address, options=options)
    if target.server_name is not None:
        options.append(("grpc.ssl_target_name_override", target.server_name))
    credentials = grpc.ssl_channel_credentials(
        root_certificates=_read(target.tls.authority),
        private_key=_read(target.tls.key),
        certificate_chain=_read(target.tls.certificate),
    )
    return aio.secure_channel(target.address, credentials, options=options)


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ConfigurationError(f"{path}: {error.strerror}; a readable PEM file is allowed") from None
