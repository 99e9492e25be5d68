"""Who gets in: mutual TLS 1.3, one SAN, one role."""

import asyncio
import socket
import ssl
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import grpc
import grpc.aio
import pytest

from protos.airlock.signer.v1 import admin_pb2, signer_pb2
from signer.adapters.pki.authority import Authority
from signer.adapters.pki.dev_pki import TRADER_URI
from tests.fakes import wire
from tests.fakes.signer_edge import EdgeRig, authority, edge_rig
from tests.testbed.processes import Child, free_port, until

LIST = signer_pb2.ListAccountsRequest()


@pytest.fixture
async def edge(tmp_path: Path) -> AsyncIterator[EdgeRig]:
    async with edge_rig(tmp_path / "pki") as rig:
        yield rig


async def refusal(edge: EdgeRig, name: str) -> grpc.aio.AioRpcError:
    async with wire.channel(edge.address, edge.pki, name) as connection:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await wire.signer_stub(connection).ListAccounts(LIST, timeout=30)
    return caught.value


async def test_a_client_with_a_certificate_of_the_authority_gets_in(edge: EdgeRig) -> None:
    async with wire.channel(edge.address, edge.pki) as connection:
        answer = await wire.signer_stub(connection).ListAccounts(LIST)

    assert len(answer.accounts) == 1


async def test_a_client_without_a_certificate_is_cut_off(edge: EdgeRig) -> None:
    only_root = grpc.ssl_channel_credentials((edge.pki / "ca.pem").read_bytes())
    async with grpc.aio.secure_channel(edge.address, only_root) as connection:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await wire.signer_stub(connection).ListAccounts(LIST, timeout=30)

    assert caught.value.code() is grpc.StatusCode.UNAVAILABLE


async def test_a_client_without_tls_is_cut_off(edge: EdgeRig) -> None:
    async with grpc.aio.insecure_channel(edge.address) as connection:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await wire.signer_stub(connection).ListAccounts(LIST, timeout=30)

    assert caught.value.code() is grpc.StatusCode.UNAVAILABLE


async def test_a_certificate_of_another_authority_is_cut_off(edge: EdgeRig) -> None:
    foreign = edge.issue("foreign", authority().client(TRADER_URI))

    assert (await refusal(edge, foreign)).code() is grpc.StatusCode.UNAVAILABLE


async def test_a_certificate_that_its_own_holder_signed_is_cut_off(edge: EdgeRig) -> None:
    edge.issue("self", Authority(name=TRADER_URI, now=edge.world.clock.now()).own)

    assert (await refusal(edge, "self")).code() is grpc.StatusCode.UNAVAILABLE


async def test_an_expired_certificate_is_cut_off(edge: EdgeRig) -> None:
    expired = edge.issue("expired", edge.authority.client(TRADER_URI, days=-1))

    assert (await refusal(edge, expired)).code() is grpc.StatusCode.UNAVAILABLE


async def test_a_certificate_with_two_names_is_nobody(edge: EdgeRig) -> None:
    two = edge.issue("two", edge.authority.client(TRADER_URI, "spiffe://airlock.local/admin"))

    error = await refusal(edge, two)

    assert error.code() is grpc.StatusCode.UNAUTHENTICATED
    assert "2 SANs; exactly one" in (error.details() or "")


async def test_a_certificate_without_a_name_is_nobody(edge: EdgeRig) -> None:
    nameless = edge.issue("nameless", edge.authority.client())

    assert (await refusal(edge, nameless)).code() is grpc.StatusCode.UNAUTHENTICATED


async def test_a_name_that_the_settings_do_not_know_is_nobody(edge: EdgeRig) -> None:
    unknown = edge.issue("unknown", edge.authority.client("spiffe://airlock.local/stranger"))

    error = await refusal(edge, unknown)

    assert error.code() is grpc.StatusCode.UNAUTHENTICATED
    assert wire.reasons(error) == ["UNAUTHENTICATED"]


async def test_the_servers_certificate_is_no_client(edge: EdgeRig) -> None:
    assert (await refusal(edge, "server")).code() is not grpc.StatusCode.OK


async def test_an_operator_cannot_trade_and_a_trader_cannot_operate(edge: EdgeRig) -> None:
    operator = await refusal(edge, "admin")
    async with wire.channel(edge.address, edge.pki) as connection:
        with pytest.raises(grpc.aio.AioRpcError) as trader:
            await wire.admin_stub(connection).Resume(admin_pb2.ResumeRequest())

    for error in (operator, trader.value):
        assert error.code() is grpc.StatusCode.PERMISSION_DENIED
        assert wire.reasons(error) == ["NOT_GRANTED"]


async def test_with_a_listener_of_its_own_the_admin_service_is_nowhere_else(tmp_path: Path) -> None:
    async with edge_rig(tmp_path / "pki", admin_listener=True) as edge:
        async with wire.channel(edge.admin_address, edge.pki, "admin") as connection:
            await wire.admin_stub(connection).Pause(admin_pb2.PauseRequest(reason="test"))
        async with wire.channel(edge.address, edge.pki, "admin") as connection:
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await wire.admin_stub(connection).Resume(admin_pb2.ResumeRequest())

    assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED


async def test_a_unix_socket_without_tls_is_the_client_of_the_settings(tmp_path: Path) -> None:
    path = tmp_path / "signer.sock"
    async with (
        edge_rig(tmp_path / "pki", unix_socket=path) as edge,
        grpc.aio.insecure_channel(f"unix:{path}") as connection,
    ):
        answer = await wire.signer_stub(connection).ListAccounts(LIST)

    assert len(answer.accounts) == 1
    assert ("server.unsafe_plaintext_unix_socket", {"path": str(path)}) in edge.log.events


async def test_a_client_of_tls_1_2_is_cut_off(tmp_path: Path) -> None:
    (tmp_path / "policy.toml").write_text(wire.POLICY)
    port = free_port()
    command = [sys.executable, "-m", "signer", "mock", "--listen", f"127.0.0.1:{port}"]
    command += ["--policy", str(tmp_path / "policy.toml"), "--pki", str(tmp_path / "pki")]
    async with Child(command, log=tmp_path / "log") as child:

        async def listens() -> bool:
            assert child.returncode is None, child.log()
            return '"listening"' in child.log()

        await until(listens, what="the mock listens")
        newest = await asyncio.to_thread(_handshake, port, tmp_path / "pki", ssl.TLSVersion.TLSv1_3)
        with pytest.raises((ssl.SSLError, ConnectionError)):
            await asyncio.to_thread(_handshake, port, tmp_path / "pki", ssl.TLSVersion.TLSv1_2)

    assert newest == "TLSv1.3"


def _handshake(port: int, pki: Path, version: ssl.TLSVersion) -> str | None:
    context = ssl.create_default_context(cafile=str(pki / "ca.pem"))
    context.load_cert_chain(pki / "trader.pem", pki / "trader.key")
    context.set_alpn_protocols(["h2"])
    context.minimum_version = context.maximum_version = version
    with (
        socket.create_connection(("127.0.0.1", port), timeout=30) as raw,
        context.wrap_socket(raw, server_hostname="localhost") as secured,
    ):
        secured.recv(1)  # in TLS 1.3 a refused client hears of it only when it reads
        return secured.version()
