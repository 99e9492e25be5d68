"""Certificates come and go while calls go on."""

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator
from pathlib import Path

import grpc
import grpc.aio
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa

from protos.airlock.signer.v1 import signer_pb2
from signer.adapters.pki.authority import Authority, Issued
from signer.adapters.pki.dev_pki import LOCAL_HOSTS, SIGNER_URI, TRADER_URI
from signer.api.revocation import Revocations
from signer.api.tls import ServerTls, TlsFiles
from signer.domain.errors import ConfigurationError
from tests.fakes import wire
from tests.fakes.signer_edge import EdgeRig, authority, edge_rig, write_pki
from tests.fakes.signer_world import ListLog

LIST = signer_pb2.ListAccountsRequest()


@pytest.fixture
async def edge(tmp_path: Path) -> AsyncIterator[EdgeRig]:
    async with edge_rig(tmp_path / "pki") as rig:
        yield rig


def server(issuer: Authority) -> Issued:
    return issuer.server(uri=SIGNER_URI, hosts=LOCAL_HOSTS)


def serial(certificate: bytes) -> int:
    return x509.load_pem_x509_certificate(certificate).serial_number


def served_serial(edge: EdgeRig) -> int:
    context = ssl.create_default_context(cafile=str(edge.pki / "ca.pem"))
    context.load_cert_chain(edge.pki / "trader.pem", edge.pki / "trader.key")
    context.set_alpn_protocols(["h2"])
    host, port = edge.address.split(":")
    with (
        socket.create_connection((host, int(port)), timeout=30) as raw,
        context.wrap_socket(raw, server_hostname="localhost") as secured,
    ):
        certificate = secured.getpeercert(binary_form=True)
    assert certificate is not None
    return x509.load_der_x509_certificate(certificate).serial_number


async def test_a_renewed_certificate_is_served_without_dropping_calls(edge: EdgeRig) -> None:
    renewed = server(edge.authority)
    async with wire.channel(edge.address, edge.pki) as connection:
        stub = wire.signer_stub(connection)
        before = await asyncio.to_thread(served_serial, edge)
        calls = [asyncio.ensure_future(stub.ListAccounts(LIST)) for _ in range(50)]

        edge.issue("server", renewed)
        calls += [asyncio.ensure_future(stub.ListAccounts(LIST)) for _ in range(50)]
        after = await asyncio.to_thread(served_serial, edge)
        answers = await asyncio.gather(*calls)
        last = await stub.ListAccounts(LIST)

    assert before != after == serial(renewed.certificate)
    assert len(answers) == 100
    assert len(last.accounts) == 1


async def test_a_change_that_was_noticed_between_handshakes_is_served_too(edge: EdgeRig) -> None:
    renewed = server(edge.authority)
    edge.issue("server", renewed)

    edge.tls.refresh()

    assert await asyncio.to_thread(served_serial, edge) == serial(renewed.certificate)


@pytest.mark.parametrize("broken", ["garbage", "other key", "rsa", "absent"])
async def test_a_broken_new_certificate_keeps_the_old_one_and_says_so(edge: EdgeRig, broken: str) -> None:
    before = await asyncio.to_thread(served_serial, edge)
    match broken:
        case "garbage":
            (edge.pki / "server.pem").write_bytes(b"garbage")
        case "other key":
            (edge.pki / "server.key").write_bytes(server(edge.authority).key)
        case "rsa":
            edge.issue("server", rsa_server(edge.authority))
        case _:
            (edge.pki / "server.pem").unlink()

    after = await asyncio.to_thread(served_serial, edge)

    assert before == after
    refused = [fields for name, fields in edge.log.events if name == "tls.reload_refused"]
    assert refused
    assert "server." in str(refused[0]["problem"])


async def test_clients_of_a_new_authority_get_in_after_it_was_added(edge: EdgeRig) -> None:
    second = authority()
    newcomer = edge.issue("newcomer", second.client(TRADER_URI))
    (edge.pki / "clients.pem").write_bytes(edge.authority.own.certificate + second.own.certificate)
    (edge.pki / "clients.pem").replace(edge.pki / "ca.pem")

    async with wire.channel(edge.address, edge.pki, newcomer) as connection:
        answer = await wire.signer_stub(connection).ListAccounts(LIST, timeout=30)

    assert len(answer.accounts) == 1


async def test_a_revoked_client_is_refused_on_its_open_connection(edge: EdgeRig) -> None:
    async with wire.channel(edge.address, edge.pki) as connection:
        stub = wire.signer_stub(connection)
        await stub.ListAccounts(LIST)
        revoked = edge.authority.revocation_list((edge.pki / "trader.pem").read_bytes())
        (edge.pki / "crl.pem").write_bytes(revoked)

        edge.tls.refresh()

        with pytest.raises(grpc.aio.AioRpcError, match="revoked") as caught:
            await stub.ListAccounts(LIST)
    assert caught.value.code() is grpc.StatusCode.UNAUTHENTICATED


def test_an_rsa_server_certificate_is_refused_at_start_with_what_to_do(tmp_path: Path) -> None:
    issuer = authority()
    files = write_pki(tmp_path / "pki", issuer)
    issued = rsa_server(issuer)
    files.certificate.write_bytes(issued.certificate)
    files.key.write_bytes(issued.key)

    with pytest.raises(ConfigurationError, match=r"only an ECDSA certificate is allowed.*dev-pki"):
        open_tls(files)


def test_a_key_that_does_not_belong_to_the_certificate_is_refused(tmp_path: Path) -> None:
    files = write_pki(tmp_path / "pki", authority())
    files.key.write_bytes(server(authority()).key)

    with pytest.raises(ConfigurationError, match="is not the key of"):
        open_tls(files)


@pytest.mark.parametrize("name", ["server.pem", "server.key", "ca.pem", "crl.pem"])
@pytest.mark.parametrize("content", [b"", b"garbage", None])
def test_a_file_that_cannot_be_used_is_named(tmp_path: Path, name: str, content: bytes | None) -> None:
    files = write_pki(tmp_path / "pki", authority())
    if content is None:
        (tmp_path / "pki" / name).unlink()
    else:
        (tmp_path / "pki" / name).write_bytes(content)

    with pytest.raises(ConfigurationError, match=name):
        open_tls(files)


def rsa_server(issuer: Authority) -> Issued:
    key = rsa.generate_private_key(public_exponent=65_537, key_size=2_048)
    return issuer.server(uri=SIGNER_URI, hosts=LOCAL_HOSTS, key=key)


def open_tls(files: TlsFiles) -> ServerTls:
    return ServerTls(files, revocations=Revocations(), log=ListLog())
