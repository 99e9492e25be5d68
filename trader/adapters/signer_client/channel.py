"""The way to the signer: mutual TLS over TCP; refuses plaintext but on a Unix socket, if told so by name.

A renewed certificate is taken over by the next call; calls on the way end on the connection of their own.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias, cast

import grpc
import structlog
from grpc import aio
from structlog.typing import FilteringBoundLogger

from protos.airlock.signer.v1 import signer_pb2_grpc
from trader.adapters.signer_client.pair import check_pair
from trader.domain.errors import ConfigurationError
from trader.domain.time import MS_PER_S

_MAX_MESSAGE_BYTES = 128 * 1024
_MAX_METADATA_BYTES = 64 * 1024  # refusals travel there; the default of 8 KiB would turn them into overload
_KEEPALIVE_MS = 30_000
_MAX_RECONNECT_MS = 2_000
_LAST_CALLS_END_MS = 60_000  # a stream of changes is cut then and opened anew, with the new certificate

log: FilteringBoundLogger = structlog.get_logger("trader")


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


class SignerConnection:
    """The channel in use. It connects when the first call is made."""

    def __init__(self, target: SignerTarget, *, longest_call_ms: int = 0) -> None:
        """Raises ConfigurationError for files that cannot be used."""
        self._target = target
        self._last_calls_end_s = max(_LAST_CALLS_END_MS, longest_call_ms) / MS_PER_S
        self._stamp = _stamp(target.tls)
        self._channel = _open(target)
        self._stub = _stub(self._channel)
        self._closing: set[asyncio.Task[None]] = set()

    def stub(self) -> "signer_pb2_grpc.SignerAsyncStub":
        """What to call, with the certificate of now."""
        stamp = _stamp(self._target.tls)
        if stamp != self._stamp:
            self._reopen(stamp)
        return self._stub

    async def close(self) -> None:
        """Cut what is still open."""
        for closing in self._closing:
            closing.cancel()
        await asyncio.gather(*self._closing, return_exceptions=True)
        await self._channel.close()

    def _reopen(self, stamp: "_Stamp") -> None:
        try:
            channel = _open(self._target)
        except ConfigurationError as error:
            # Between two renames there is no pair; the next call looks again.
            log.warning("signer.certificate_not_taken", why=str(error))
            return
        closing = asyncio.create_task(self._channel.close(self._last_calls_end_s))
        self._closing.add(closing)
        closing.add_done_callback(self._closing.discard)
        self._channel, self._stub, self._stamp = channel, _stub(channel), stamp
        log.info("signer.certificate_taken")


@asynccontextmanager
async def signer_connection(
    target: SignerTarget, *, longest_call_ms: int = 0
) -> AsyncIterator[SignerConnection]:
    """A connection, closed at the end of the block; a new certificate cuts no call of `longest_call_ms`."""
    connection = SignerConnection(target, longest_call_ms=longest_call_ms)
    try:
        yield connection
    finally:
        await connection.close()


_Stamp: TypeAlias = tuple[tuple[int, int], ...]


def _stamp(tls: TlsFiles | None) -> _Stamp:
    """Which files these are; a file that is missing for a moment is another one, too."""
    if tls is None:
        return ()
    return tuple(_one_stamp(path) for path in (tls.authority, tls.certificate, tls.key))


def _one_stamp(path: Path) -> tuple[int, int]:
    try:
        stat = path.stat()
    except OSError:
        return 0, 0
    return stat.st_mtime_ns, stat.st_ino


def _stub(channel: aio.Channel) -> "signer_pb2_grpc.SignerAsyncStub":
    # One generated class serves both kinds of channel; its asynchronous face exists only as a type.
    return cast("signer_pb2_grpc.SignerAsyncStub", signer_pb2_grpc.SignerStub(channel))


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
    check_pair(target.tls.certificate, target.tls.key)
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
