"""The gRPC servers: one for traders, one for operators, with bounds. Closes by draining, never by cutting.

Nothing listens in plaintext on a network; a Unix socket without TLS only behind a setting that says unsafe.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import grpc
import grpc.aio
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from signer.api.admin_handlers import SERVICE as ADMIN
from signer.api.admin_handlers import admin_service
from signer.api.admission import Admission
from signer.api.edge import Edge
from signer.api.identity import Identities
from signer.api.signer_handlers import SERVICE as SIGNER
from signer.api.signer_handlers import signer_service
from signer.api.tls import ServerTls
from signer.api.use_cases import AdminUseCases, SignerUseCases
from signer.domain.errors import ConfigurationError
from signer.ports.events import EventLog
from signer.ports.health import PartHealth
from signer.ports.meter import NO_METER, CallMeter
from signer.service.clients import Role

MAX_MESSAGE_BYTES = 128 * 1024
MAX_METADATA_BYTES = 16 * 1024
_PING_INTERVAL_MS = 1_000
_REFRESH_S = 2.0
_HEALTH_EVERY_S = 0.5
_ADMIN_IN_FLIGHT = 16
_ADMIN_WATCHERS = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerOptions:
    """Where to listen and what the process bears. Without `admin_listen` both services share `listen`."""

    listen: str
    admin_listen: str | None = None
    unsafe_plaintext_unix_socket: Path | None = None
    reflection: bool = False
    max_in_flight: int = 1_024
    max_watchers: int = 64
    max_connection_age_s: int = 3_600
    drain_timeout_s: int = 15


@dataclass(frozen=True, slots=True, kw_only=True)
class Listening:
    """Ports that were bound (a port 0 of the options became a real one)."""

    port: int
    admin_port: int


@asynccontextmanager
async def serve(
    *,
    options: ServerOptions,
    signer: SignerUseCases,
    admin: AdminUseCases,
    identities: Identities,
    tls: ServerTls,
    log: EventLog,
    meter: CallMeter = NO_METER,
    parts: Sequence[PartHealth] = (),
) -> AsyncIterator[Listening]:
    """Serve until the block ends; then refuse new calls, let the running ones finish, and close."""
    calls = Admission(options.max_in_flight, "requests")
    streams = Admission(options.max_watchers, "streams")

    def edge(role: Role, calls: Admission, streams: Admission) -> Edge:
        return Edge(role=role, identities=identities, calls=calls, streams=streams, log=log, meter=meter)

    # An operator must get through while traders flood the signer: the Admin service has room of its own.
    trader_edge = edge(Role.TRADER, calls, streams)
    admin_edge = edge(
        Role.ADMIN,
        Admission(_ADMIN_IN_FLIGHT, "operators' requests"),
        Admission(_ADMIN_WATCHERS, "operators' consoles"),
    )
    signer_handler = signer_service(signer, trader_edge)
    admin_handler = admin_service(admin, admin_edge)
    services = {SIGNER: signer_handler}
    if options.admin_listen is None:
        services[ADMIN] = admin_handler
    async with AsyncExitStack() as stack:
        server = await stack.enter_async_context(_server(options, services, (trader_edge, admin_edge), parts))
        port = admin_port = _bind(server, options.listen, tls)
        if options.unsafe_plaintext_unix_socket is not None:
            _bind_unix(server, options.unsafe_plaintext_unix_socket, log)
        if options.admin_listen is not None:
            admin_server = await stack.enter_async_context(
                _server(options, {ADMIN: admin_handler}, (admin_edge,), parts)
            )
            admin_port = _bind(admin_server, options.admin_listen, tls)
            await admin_server.start()
        await server.start()
        await stack.enter_async_context(_refreshing(tls))
        log.event("server.listening", port=port, admin_port=admin_port)
        yield Listening(port=port, admin_port=admin_port)


@asynccontextmanager
async def _server(
    options: ServerOptions,
    services: Mapping[str, grpc.GenericRpcHandler],
    edges: Sequence[Edge],
    parts: Sequence[PartHealth],
) -> AsyncIterator[grpc.aio.Server]:
    server = grpc.aio.server(
        options=(
            ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),
            ("grpc.max_metadata_size", MAX_METADATA_BYTES),
            # Without this a second process could bind the same port and take part of the calls.
            ("grpc.so_reuseport", 0),
            # A client that looks whether we are there while a person reads is no attacker.
            ("grpc.http2.min_ping_interval_without_data_ms", _PING_INTERVAL_MS),
            # Renewed and revoked certificates take hold when connections are made anew.
            ("grpc.max_connection_age_ms", options.max_connection_age_s * 1_000),
            ("grpc.max_connection_age_grace_ms", options.drain_timeout_s * 1_000 + 1_000),
        ),
    )
    server.add_generic_rpc_handlers(tuple(services.values()))
    state = health.aio.HealthServicer()
    generic = cast("grpc.aio.Server", _GenericOnly(server))
    health_pb2_grpc.add_HealthServicer_to_server(state, generic)
    for service in services:
        await state.set(service, health_pb2.HealthCheckResponse.SERVING)
    if options.reflection:
        shown = (*services, health.SERVICE_NAME, reflection.SERVICE_NAME)
        reflection.enable_server_reflection(shown, generic)
    try:
        async with _showing(state, parts):
            yield server
    finally:
        await state.enter_graceful_shutdown()
        for edge in edges:
            edge.end_streams()
        # Refuses new calls at once; those that run may end. Cancelled only after the grace.
        await server.stop(options.drain_timeout_s)


class _GenericOnly:
    """A server that generated code adds its handlers to, without registering their methods one by one.

    gRPC waits for each registered method apart, at every call. And when it stops, the first of them to end
    ends them all: a call that another one had taken at that moment is never answered, and holds the end up
    for the whole drain time.
    """

    def __init__(self, server: grpc.aio.Server) -> None:
        self._server = server

    def add_generic_rpc_handlers(self, handlers: Sequence[grpc.GenericRpcHandler]) -> None:
        """The same handlers, by name."""
        self._server.add_generic_rpc_handlers(handlers)

    def add_registered_method_handlers(self, service: str, handlers: Mapping[str, object]) -> None:
        """Nothing: they are there by name already."""


def _bind(server: grpc.aio.Server, address: str, tls: ServerTls) -> int:
    try:
        return server.add_secure_port(address, tls.credentials())
    except RuntimeError as error:
        raise ConfigurationError(
            f"{address}: cannot listen there: {error}; a free address is allowed"
        ) from None


def _bind_unix(server: grpc.aio.Server, path: Path, log: EventLog) -> None:
    try:
        server.add_insecure_port(f"unix:{path}")
    except RuntimeError as error:
        raise ConfigurationError(f"{path}: cannot listen there: {error}") from None
    log.event("server.unsafe_plaintext_unix_socket", path=str(path))


@asynccontextmanager
async def _showing(state: health.aio.HealthServicer, parts: Sequence[PartHealth]) -> AsyncIterator[None]:
    """Show in the health service how the parts are."""

    async def show() -> None:
        response = health_pb2.HealthCheckResponse
        for part in parts:
            await state.set(part.name, response.SERVING if part.serving else response.NOT_SERVING)

    async def again_and_again() -> None:
        while True:
            await asyncio.sleep(_HEALTH_EVERY_S)
            await show()

    await show()
    task = asyncio.create_task(again_and_again())
    try:
        yield
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


@asynccontextmanager
async def _refreshing(tls: ServerTls) -> AsyncIterator[None]:
    """Look at the files now and then, so that a revocation needs no new connection."""

    async def again_and_again() -> None:
        while True:
            await asyncio.sleep(_REFRESH_S)
            tls.refresh()

    task = asyncio.create_task(again_and_again())
    try:
        yield
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
