"""A Vault that lies, hangs or goes away: a named error for each, and the session comes back by itself."""

import asyncio
import gzip
import json
import os
import socketserver
import threading
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio
from aiohttp import web
from cryptography.hazmat.primitives import serialization
from typing_extensions import override

from signer.adapters.pki.authority import Authority
from signer.adapters.system_clock import SystemClock
from signer.adapters.vault.connection import Connection, Question, Target
from signer.adapters.vault.session import VaultSession
from signer.domain.errors import ConfigurationError, UnavailableError
from signer.domain.reasons import FailReason
from tests.integration.vault.session_rig import SELF, Ground, until
from tests.testbed.vault import VaultServer
from tests.testbed.vault_faults import (
    Body,
    DropAfter,
    Exchange,
    Fault,
    Hang,
    Html,
    Redirect,
    Stall,
    Status,
    TooLong,
)
from tests.testbed.vault_proxy import VaultProxy


@pytest_asyncio.fixture(name="proxy")
async def _proxy(vault_server: VaultServer) -> AsyncIterator[VaultProxy]:
    async with VaultProxy(vault_server) as started:
        yield started


@pytest.fixture(name="behind_proxy")
def _behind_proxy(vault_server: VaultServer, proxy: VaultProxy, tmp_path: Path) -> Ground:
    target = Target(address=proxy.url, ca=proxy.ca, timeout_ms=2_000)
    return Ground(vault=vault_server, folder=tmp_path, target=target)


@pytest.fixture(name="stranger")
def _stranger() -> Iterator[tuple[str, list[bytes]]]:
    """An address that is no Vault, and what it was sent."""
    heard: list[bytes] = []

    class Listener(socketserver.BaseRequestHandler):
        @override
        def handle(self) -> None:
            heard.append(self.request.recv(65_536))

    with socketserver.TCPServer(("127.0.0.1", 0), Listener) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"127.0.0.1:{server.server_address[1]}", heard
        server.shutdown()


async def _failure(session: VaultSession, *, secret: bool = False) -> UnavailableError:
    asked = session.write_secret(SELF, {}, len) if secret else session.read(SELF)
    with pytest.raises(UnavailableError) as caught:
        await asked
    return caught.value


FAULTS: list[tuple[Fault, FailReason]] = [
    (Html(status=502), FailReason.VAULT_FAULTY),
    (Status(500), FailReason.VAULT_FAULTY),
    (Status(500, "local node not active but active cluster node not found"), FailReason.VAULT_STANDBY),
    (Status(473), FailReason.VAULT_STANDBY),
    (Status(429, "rate limit quota exceeded", retry_after_s=1), FailReason.VAULT_RATE_LIMITED),
    (Status(503, "Vault is sealed"), FailReason.VAULT_SEALED),
    (Status(403, "permission denied"), FailReason.VAULT_FORBIDDEN),
    (Hang(), FailReason.VAULT_SLOW),
]
LIES: list[tuple[Fault, FailReason]] = [
    (Html(), FailReason.VAULT_FAULTY),
    (Body(b'{"data": '), FailReason.VAULT_FAULTY),
    (Body(b"[" * 2_000), FailReason.VAULT_FAULTY),
    (DropAfter(), FailReason.VAULT_UNREACHABLE),
]


@pytest.mark.parametrize("secret", [False, True])
@pytest.mark.parametrize(("fault", "reason"), FAULTS, ids=str)
async def test_each_fault_has_its_reason_and_ends_with_the_fault(
    behind_proxy: Ground, proxy: VaultProxy, fault: Fault, reason: FailReason, secret: bool
) -> None:
    async with behind_proxy.session(await behind_proxy.jwt()) as session:
        proxy.fault = fault
        error = await _failure(session, secret=secret)
        told = session.health.problem
        proxy.fault = None
        after = await session.read(SELF)

    assert error.reason is reason
    assert told is not None
    assert told.reason is reason
    assert after is not None
    assert "hvs." not in repr(error) + str(behind_proxy.log.events)


@pytest.mark.parametrize(("fault", "reason"), LIES, ids=("page", "half", "deep", "cut"))
async def test_a_good_status_with_nonsense_is_no_answer(
    behind_proxy: Ground, proxy: VaultProxy, fault: Fault, reason: FailReason
) -> None:
    async with behind_proxy.session(await behind_proxy.jwt()) as session:
        proxy.fault = fault
        error = await _failure(session)
        proxy.fault = None

    assert error.reason is reason


async def test_an_answer_without_an_end_is_not_read_to_its_end(
    behind_proxy: Ground, proxy: VaultProxy
) -> None:
    async with behind_proxy.session(await behind_proxy.jwt()) as session:
        proxy.fault = TooLong()
        error = await _failure(session)
        proxy.fault = None

    assert error.reason is FailReason.VAULT_FAULTY
    assert "more than" in str(error)


async def test_a_redirect_without_an_end_is_not_read_to_its_end(
    behind_proxy: Ground, proxy: VaultProxy
) -> None:
    async with behind_proxy.session(await behind_proxy.jwt()) as session:
        proxy.fault = TooLong(status=307, headers=(("Location", "https://elsewhere/"),))
        error = await _failure(session)
        proxy.fault = None

    assert error.reason is FailReason.VAULT_FAULTY
    assert "more than" in str(error)


async def test_an_answer_is_never_unpacked(behind_proxy: Ground, proxy: VaultProxy) -> None:
    packed = gzip.compress(b'{"data": {}}')
    async with behind_proxy.session(await behind_proxy.jwt()) as session:
        proxy.fault = Body(packed, headers=(("Content-Encoding", "gzip"),))
        error = await _failure(session)
        proxy.fault = None

    assert error.reason is FailReason.VAULT_FAULTY


async def test_a_redirect_to_no_address_is_named(behind_proxy: Ground, proxy: VaultProxy) -> None:
    async with behind_proxy.session(await behind_proxy.jwt()) as session:
        proxy.fault = Body(b"", status=200, headers=(("Location", "http://["),))
        await session.read(SELF)
        proxy.fault = Body(b"", status=307, headers=(("Location", "http://["),))
        error = await _failure(session)
        proxy.fault = None

    assert error.reason is FailReason.VAULT_UNREACHABLE


@pytest.mark.parametrize(
    "fault",
    [
        Body(b"", status=202),
        Body(b'{"data": {}}', status=204),
        Body(rb'{"data": {"batch\u005fresults": []}}', status=400),
    ],
    ids=("accepted", "empty", "spelt differently"),
)
async def test_a_status_that_holds_no_secret_is_no_answer_to_who_wants_one(
    behind_proxy: Ground, proxy: VaultProxy, fault: Fault
) -> None:
    async with behind_proxy.session(await behind_proxy.jwt()) as session:
        proxy.fault = fault
        error = await _failure(session, secret=True)
        proxy.fault = None

    assert error.reason is FailReason.VAULT_FAULTY


@pytest.mark.parametrize("secret", [False, True])
async def test_a_redirect_is_an_error_and_the_token_goes_nowhere_else(
    behind_proxy: Ground, proxy: VaultProxy, stranger: tuple[str, list[bytes]], secret: bool
) -> None:
    address, heard = stranger
    async with behind_proxy.session(await behind_proxy.jwt()) as session:
        proxy.fault = Redirect(to=f"http://{address}")
        error = await _failure(session, secret=secret)
        proxy.fault = None

    assert error.reason is FailReason.VAULT_UNREACHABLE
    assert "no redirect is followed" in str(error)
    assert heard == []


async def test_a_standby_that_redirects_is_called_a_standby(behind_proxy: Ground, proxy: VaultProxy) -> None:
    standby = Body(json.dumps({"sealed": False, "standby": True, "initialized": True}).encode())

    class Standby(Redirect):
        @override
        async def meet(self, exchange: Exchange) -> web.StreamResponse:
            fault: Fault = standby if "sys/health" in exchange.request.path else Redirect(to="https://active")
            return await fault.meet(exchange)

    async with behind_proxy.session(await behind_proxy.jwt()) as session:
        proxy.fault = Standby(to="")
        error = await _failure(session)
        proxy.fault = None

    assert error.reason is FailReason.VAULT_STANDBY


# asyncio 3.11 leaves the server's half of a failed handshake to the collector; that is the proxy's, not ours.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("secret", [False, True])
async def test_another_certificate_is_refused_before_the_token_is_sent(
    behind_proxy: Ground, proxy: VaultProxy, secret: bool
) -> None:
    async with behind_proxy.session(await behind_proxy.jwt()) as session:
        await proxy.present_another_certificate()
        asked = len(proxy.paths)
        error = await _failure(session, secret=secret)
        heard = len(proxy.paths) - asked
        await proxy.present_own_certificate()
        after = await session.read(SELF)

    assert error.reason is FailReason.VAULT_UNREACHABLE
    assert "certificate" in str(error)
    assert (heard, after is None) == (0, False)


async def test_a_wrong_authority_stops_the_start(
    vault_server: VaultServer, proxy: VaultProxy, tmp_path: Path
) -> None:
    target = Target(address=vault_server.url, ca=proxy.ca)
    ground = Ground(vault=vault_server, folder=tmp_path, target=target)

    with pytest.raises(UnavailableError, match=r"vault\.ca does not vouch") as caught:
        async with ground.session(await ground.jwt()):
            pass

    assert caught.value.reason is FailReason.VAULT_UNREACHABLE


async def test_an_authority_that_cannot_be_read_is_named(vault_server: VaultServer, tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("nothing")
    target = Target(address=vault_server.url, ca=tmp_path / "ca.pem")
    ground = Ground(vault=vault_server, folder=tmp_path, target=target)

    with pytest.raises(ConfigurationError, match=r"ca\.pem"):
        async with ground.session(await ground.jwt()):
            pass


async def test_proxies_and_tokens_of_the_environment_are_not_looked_at(
    vault_server: VaultServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("VAULT_TOKEN", "hvs.of-somebody-else")
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", os.devnull)
    ground = Ground(vault=vault_server, folder=tmp_path)

    async with ground.session(await ground.jwt()) as session:
        found = await session.read(SELF)

    assert found is not None


async def test_no_variable_makes_us_write_down_the_keys_of_tls(
    vault_server: VaultServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSLKEYLOGFILE", str(tmp_path / "keys"))
    connection = Connection(Target(address=vault_server.url, ca=vault_server.ca))
    monkeypatch.delenv("SSLKEYLOGFILE")

    await connection.ask(Question(method="GET", path="sys/health"))

    assert not (tmp_path / "keys").exists()
    connection.close()


async def test_an_authority_that_is_put_into_the_file_later_is_not_believed(
    vault_server: VaultServer, proxy: VaultProxy, tmp_path: Path
) -> None:
    ca = tmp_path / "ca.pem"
    ca.write_bytes(vault_server.ca.read_bytes())
    connection = Connection(Target(address=proxy.url, ca=ca))
    ca.write_bytes(proxy.ca.read_bytes())

    with pytest.raises(UnavailableError, match=r"vault\.ca does not vouch"):
        await connection.ask(Question(method="GET", path="sys/health"))
    connection.close()


async def test_a_client_key_with_a_password_is_refused_and_nobody_is_prompted(
    vault_server: VaultServer, tmp_path: Path
) -> None:
    pair = Authority(name="Clients of Vault", now=SystemClock().now()).client("spiffe://airlock.local/signer")
    key = serialization.load_pem_private_key(pair.key, password=None)
    locked = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(b"a password"),
    )
    (tmp_path / "client.pem").write_bytes(pair.certificate)
    (tmp_path / "client.key").write_bytes(locked)
    connection = Connection(Target(address=vault_server.url, ca=vault_server.ca))

    present = asyncio.to_thread(connection.present, tmp_path / "client.pem", tmp_path / "client.key")
    with pytest.raises(ConfigurationError, match="no pair"):
        await asyncio.wait_for(present, 30)
    connection.close()


async def test_a_sealed_and_a_killed_vault_are_named_and_the_session_comes_back_by_itself(
    own_vault_server: VaultServer, tmp_path: Path
) -> None:
    vault = own_vault_server
    ground = Ground(vault=vault, folder=tmp_path)
    reasons = []

    async with ground.session(await ground.approle()) as session:
        await vault.seal()
        reasons.append((await _failure(session)).reason)
        await vault.unseal()
        await until(lambda: session.health.serving, "serving after the unseal")
        vault.kill()
        reasons.append((await _failure(session)).reason)
        await vault.start_again()
        await until(lambda: session.health.serving, "serving after the restart")
        vault.stall()
        reasons.append((await _failure(session)).reason)
        vault.resume()
        await until(lambda: session.health.serving, "serving after the stall")
        again = await session.read(SELF)

    assert again is not None
    assert reasons == [FailReason.VAULT_SEALED, FailReason.VAULT_UNREACHABLE, FailReason.VAULT_SLOW]
    assert len(ground.told("vault.logged_in")) == 1  # the token outlived all of it


@pytest.mark.parametrize("slow", ["sys/wrapping/unwrap", "/login"])
async def test_what_a_secret_id_can_be_asked_for_once_may_take_longer_than_anything_else(
    vault_server: VaultServer, proxy: VaultProxy, tmp_path: Path, slow: str
) -> None:
    target = Target(address=proxy.url, ca=proxy.ca, timeout_ms=400)
    ground = Ground(vault=vault_server, folder=tmp_path, target=target)
    login = await ground.approle()
    proxy.only, proxy.fault = slow, Stall(1.2)

    async with ground.session(login) as session:
        proxy.only, proxy.fault = SELF, Stall(1.2)
        error = await _failure(session, secret=False)

    assert error.reason is FailReason.VAULT_SLOW
    assert len(ground.told("vault.logged_in")) == 1


async def test_a_vault_that_comes_late_is_waited_for(own_vault_server: VaultServer, tmp_path: Path) -> None:
    ground = Ground(vault=own_vault_server, folder=tmp_path)
    login = await ground.approle()
    await own_vault_server.seal()

    async def unseal_soon() -> None:
        await until(lambda: bool(ground.told("vault.not_serving")), "the first try")
        await own_vault_server.unseal()

    async with asyncio.TaskGroup() as group:
        group.create_task(unseal_soon())
        async with ground.session(login, patience_ms=20_000) as session:
            found = await session.read(SELF)

    assert found is not None
