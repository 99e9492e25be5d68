"""Who may talk to the signer's process, and in what words. Everybody else is refused at the door."""

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import grpc
import grpc.aio
import pytest
import pytest_asyncio

from protos.airlock.signer.v1 import admin_pb2, admin_pb2_grpc
from tests.e2e.asking import asking, swap
from tests.e2e.certificates import IDLE_SAN, STRANGER_SAN, Pki
from tests.e2e.scene import Scene, Stage, said
from tests.fakes import wire
from tests.testbed.processes import Child, until

pytestmark = pytest.mark.asyncio(loop_scope="module")

METHOD = "/airlock.signer.v1.Signer/SignEvmTransaction"
HANDSHAKE_S = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Door:
    """A serving signer, and the authority that it trusts."""

    scene: Scene
    signer: Child
    pki: Pki

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.scene.signer.port}"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def door(stage: Stage, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Door]:
    folder = tmp_path_factory.mktemp("door")
    pki = Pki(folder / "signer" / "pki")
    pki.write()
    async with Scene.open(stage, folder) as scene:
        settings = scene.signer.settings
        idle = f'\n[[clients]]\nsan = "{IDLE_SAN}"\nrole = "trader"\n'
        settings.write_text(settings.read_text() + idle)
        async with scene.serve() as signer:
            yield Door(scene=scene, signer=signer, pki=pki)


@pytest.mark.parametrize("identity", [None, "expired"])
async def test_a_client_without_a_valid_certificate_gets_no_connection(
    door: Door, identity: str | None
) -> None:
    authority = (door.pki.folder / "ca.pem").read_bytes()
    credentials = (
        grpc.ssl_channel_credentials(root_certificates=authority)
        if identity is None
        else wire.credentials(door.pki.folder, identity)
    )

    await _no_call_gets_through(door, credentials)


async def test_a_certificate_of_another_authority_gets_no_connection(door: Door, tmp_path: Path) -> None:
    foreign = Pki(tmp_path / "foreign")
    foreign.write()
    credentials = wire.credentials(foreign.folder, authority=door.pki.folder / "ca.pem")

    await _no_call_gets_through(door, credentials)


async def test_tls_1_2_ends_in_the_handshake_and_tls_1_3_does_not(door: Door) -> None:
    modern = await asyncio.to_thread(_handshake, door, ssl.TLSVersion.TLSv1_3)
    with pytest.raises((ssl.SSLError, ConnectionError)):
        await asyncio.to_thread(_handshake, door, ssl.TLSVersion.TLSv1_2)

    assert modern[0] == "TLSv1.3"


async def test_a_client_without_a_grant_is_not_granted_anything(door: Door) -> None:
    error = await _refused_as(door, "idle")

    assert error.code() is grpc.StatusCode.PERMISSION_DENIED
    assert wire.reasons(error) == ["NOT_GRANTED"]


async def test_a_good_certificate_of_an_unknown_client_is_nobody(door: Door) -> None:
    error = await _refused_as(door, "stranger")

    assert error.code() is grpc.StatusCode.UNAUTHENTICATED
    assert STRANGER_SAN in (error.details() or "")


async def test_a_trader_is_no_admin_and_an_admin_is_no_trader(door: Door) -> None:
    files = door.scene.signer
    async with wire.channel(f"127.0.0.1:{files.admin_port}", files.pki, "trader") as connection:
        with pytest.raises(grpc.aio.AioRpcError) as paused:
            await _admin(connection).Pause(admin_pb2.PauseRequest(), timeout=30)
    async with asking(files, identity="admin") as asker:
        with pytest.raises(grpc.aio.AioRpcError) as signed:
            await asker.sign(swap(files, "by-an-admin"))

    for caught in (paused, signed):
        assert caught.value.code() is grpc.StatusCode.PERMISSION_DENIED
        assert wire.reasons(caught.value) == ["NOT_GRANTED"]


async def test_the_admin_service_is_not_on_the_traders_port(door: Door) -> None:
    async with wire.channel(door.address, door.pki.folder, "admin") as connection:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await _admin(connection).Pause(admin_pb2.PauseRequest(), timeout=30)

    assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED


async def test_what_is_no_protobuf_is_an_invalid_argument(door: Door) -> None:
    error = await _raw_call(door, b"\xff" * 64)

    assert error.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert wire.bad_fields(error) == ["request"]
    assert "airlock.signer.v1.SignEvmTransactionRequest" in (error.details() or "")


async def test_a_message_over_the_limit_is_refused_with_both_sizes(door: Door) -> None:
    error = await _raw_call(door, bytes(140_000))

    assert error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert "140000" in (error.details() or "")
    assert "131072" in (error.details() or "")


async def test_a_renewed_certificate_is_taken_over_while_calls_go_on(door: Door) -> None:
    before = await asyncio.to_thread(_handshake, door, ssl.TLSVersion.TLSv1_3)
    failed: list[BaseException] = []
    answered = 0
    async with asking(door.scene.signer) as asker:

        async def keep_asking() -> None:
            nonlocal answered
            while True:
                try:
                    await asker.state()
                except grpc.aio.AioRpcError as error:
                    failed.append(error)
                answered += 1

        calls = asyncio.create_task(keep_asking())
        door.pki.renew_server()

        async def renewed() -> bool:
            return await asyncio.to_thread(_handshake, door, ssl.TLSVersion.TLSv1_3) != before

        await until(renewed, what="the new certificate is shown", every_s=0.1)
        seen = answered

        async def more() -> bool:
            return answered > seen

        await until(more, what="calls go on")
        calls.cancel()

    assert failed == []
    assert door.signer.returncode is None
    await said(door.signer, "tls.reloaded")


def _admin(connection: grpc.aio.Channel) -> "admin_pb2_grpc.AdminAsyncStub":
    # At run time one class serves both kinds of channel.
    return cast("admin_pb2_grpc.AdminAsyncStub", admin_pb2_grpc.AdminStub(connection))


def _method(connection: grpc.aio.Channel) -> "grpc.aio.UnaryUnaryMultiCallable[bytes, bytes]":
    """Bytes in, bytes out, whatever they are."""
    method: grpc.aio.UnaryUnaryMultiCallable[bytes, bytes] = connection.unary_unary(METHOD)
    return method


async def _no_call_gets_through(door: Door, credentials: grpc.ChannelCredentials) -> None:
    options = (("grpc.use_local_subchannel_pool", 1),)
    async with grpc.aio.secure_channel(door.address, credentials, options) as connection:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await _method(connection)(b"", timeout=30)

    assert caught.value.code() is grpc.StatusCode.UNAVAILABLE


async def _refused_as(door: Door, identity: str) -> grpc.aio.AioRpcError:
    async with asking(door.scene.signer, identity=identity) as asker:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await asker.sign(swap(door.scene.signer, f"asked-by-{identity}"))
    return caught.value


async def _raw_call(door: Door, message: bytes) -> grpc.aio.AioRpcError:
    async with wire.channel(door.address, door.pki.folder) as connection:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await _method(connection)(message, timeout=30)
    return caught.value


def _handshake(door: Door, most: ssl.TLSVersion) -> tuple[str | None, bytes | None]:
    """Version that was agreed, and the server's certificate."""
    context = ssl.create_default_context(cafile=door.pki.folder / "ca.pem")
    context.maximum_version = most
    context.set_alpn_protocols(["h2"])
    context.load_cert_chain(door.pki.folder / "trader.pem", door.pki.folder / "trader.key")
    with (
        socket.create_connection(("127.0.0.1", door.scene.signer.port), timeout=HANDSHAKE_S) as plain,
        context.wrap_socket(plain, server_hostname="localhost") as wrapped,
    ):
        return wrapped.version(), wrapped.getpeercert(binary_form=True)
