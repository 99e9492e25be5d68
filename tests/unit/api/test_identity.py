from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from signer.adapters.pki.authority import Authority
from signer.api.errors import UnauthenticatedError
from signer.api.identity import Identities
from signer.api.revocation import Revocations
from signer.domain.errors import ConfigurationError
from signer.domain.time import UnixMs
from signer.domain.transactions import ClientName
from signer.service.clients import Client, Role
from tests.fakes.clock import FakeClock

NOW = UnixMs(1_800_000_000_000)
NAME = ClientName("spiffe://airlock.local/trader")
CLIENT = Client(name=NAME, role=Role.TRADER)
AUTHORITY = Authority(name="test", now=NOW)


@dataclass(frozen=True)
class Peer:
    certificate: bytes | None
    version: bytes = b"TLSv1.3"
    address: str = "ipv4:127.0.0.1:1"

    def auth_context(self) -> Mapping[str, list[bytes]]:
        if self.certificate is None:
            return {}
        known = {"x509_pem_cert": [self.certificate]}
        return {**known, "ssl_tls_version": [self.version]} if self.version else known

    def peer(self) -> str:
        return self.address


def identities(
    *, clock: FakeClock | None = None, revocations: Revocations | None = None, unix: ClientName | None = None
) -> Identities:
    return Identities(
        clients={NAME: CLIENT},
        revocations=revocations or Revocations(),
        clock=clock or FakeClock(NOW),
        unix_socket_client=unix,
    )


def test_a_client_is_the_one_uri_of_its_certificate() -> None:
    assert identities().client_of(Peer(AUTHORITY.client(NAME).certificate)) is CLIENT


@pytest.mark.parametrize(
    ("peer", "said"),
    [
        (Peer(None), "no client certificate"),
        (Peer(AUTHORITY.client().certificate), "no SAN"),
        (Peer(AUTHORITY.client(NAME, "spiffe://airlock.local/admin").certificate), "2 SANs"),
        (Peer(AUTHORITY.client("spiffe://airlock.local/nobody").certificate), "no client of this signer"),
        (Peer(AUTHORITY.client(NAME).certificate, version=b"TLSv1.2"), "TLSv1.2 was negotiated"),
        (Peer(b"nonsense"), "cannot be read"),
        (Peer(None, address="unix:/run/x"), "no client certificate"),
    ],
)
def test_a_connection_that_does_not_say_one_known_name_is_nobody(peer: Peer, said: str) -> None:
    with pytest.raises(UnauthenticatedError, match=said):
        identities().client_of(peer)


def test_a_certificate_without_a_tls_version_is_nobody() -> None:
    with pytest.raises(UnauthenticatedError, match="no TLS version"):
        identities().client_of(Peer(AUTHORITY.client(NAME).certificate, version=b""))


def test_a_unix_socket_is_a_client_only_when_the_settings_say_so() -> None:
    known = identities(unix=NAME)

    assert known.client_of(Peer(None, address="unix:/run/airlock.sock")) is CLIENT
    with pytest.raises(UnauthenticatedError):
        known.client_of(Peer(None, address="ipv4:127.0.0.1:9"))


def test_a_remembered_certificate_still_expires() -> None:
    clock = FakeClock(NOW)
    known = identities(clock=clock)
    peer = Peer(AUTHORITY.client(NAME, days=1).certificate)
    known.client_of(peer)

    clock.advance_s(25 * 60 * 60)

    with pytest.raises(UnauthenticatedError, match="expired"):
        known.client_of(peer)


def test_a_revoked_certificate_is_refused_on_a_connection_that_is_already_open(tmp_path: Path) -> None:
    revocations = Revocations()
    known = identities(revocations=revocations)
    revoked, other = AUTHORITY.client(NAME), AUTHORITY.client(NAME)
    known.client_of(Peer(revoked.certificate))
    (tmp_path / "crl.pem").write_bytes(AUTHORITY.revocation_list(revoked.certificate))

    revocations.load(tmp_path / "crl.pem", AUTHORITY.own.certificate)

    with pytest.raises(UnauthenticatedError, match="revoked"):
        known.client_of(Peer(revoked.certificate))
    assert known.client_of(Peer(other.certificate)) is CLIENT


def test_a_revocation_list_of_another_authority_is_refused_and_changes_nothing(tmp_path: Path) -> None:
    revocations = Revocations()
    known = identities(revocations=revocations)
    issued = AUTHORITY.client(NAME)
    impostor = Authority(name="test", now=NOW)
    (tmp_path / "crl.pem").write_bytes(impostor.revocation_list(issued.certificate))
    (tmp_path / "garbage.pem").write_bytes(b"garbage")

    for name in ("crl.pem", "garbage.pem", "absent.pem"):
        with pytest.raises(ConfigurationError, match=name):
            revocations.load(tmp_path / name, AUTHORITY.own.certificate)

    assert known.client_of(Peer(issued.certificate)) is CLIENT
