"""Certificates and revocations out of a real PKI engine: renewed at two thirds, taken over by the server."""

import uuid
from pathlib import Path

import pytest
import pytest_asyncio
from cryptography import x509
from cryptography.hazmat.primitives import serialization

from signer.adapters.vault.certificate_keeper import CertificateFiles, CertificateKeeper, renewal_due
from signer.adapters.vault.pki import CertificateWanted
from signer.api.revocation import Revocations
from signer.api.tls import ServerTls, TlsFiles
from signer.domain.errors import ConfigurationError
from signer.domain.time import UnixMs
from tests.fakes.clock import FakeClock
from tests.fakes.signer_world import ListLog
from tests.testbed.vault import VaultServer
from tests.testbed.vault_api import PlainVaultApi

_URI = "spiffe://airlock.local/signer"


@pytest_asyncio.fixture
async def mount(vault_server: VaultServer) -> str:
    name = f"pki-{uuid.uuid4().hex[:8]}"
    await vault_server.write(f"sys/mounts/{name}", {"type": "pki", "config": {"max_lease_ttl": "87600h"}})
    await vault_server.write(
        f"{name}/root/generate/internal", {"common_name": "Airlock", "key_type": "ec", "ttl": "8760h"}
    )
    for role, usage in (("signer-server", "server_flag"), ("trader-client", "client_flag")):
        flags = {"server_flag": usage == "server_flag", "client_flag": usage == "client_flag"}
        await vault_server.write(
            f"{name}/roles/{role}",
            {
                "key_type": "ec",
                "key_bits": 256,
                "allowed_domains": ["signer.internal", "signer", "trader"],
                "allow_bare_domains": True,
                "allowed_uri_sans": ["spiffe://airlock.local/*"],
                "max_ttl": "72h",
                **flags,
            },
        )
    return name


class Scene:
    """A keeper over files in a folder."""

    def __init__(self, vault: VaultServer, mount: str, folder: Path, **changed: str) -> None:
        self.clock, self.log = FakeClock(UnixMs(0)), ListLog()
        self.files = CertificateFiles(
            certificate=folder / "server.pem", key=folder / "server.key", revocation_list=folder / "crl.pem"
        )
        wanted = CertificateWanted(
            mount=mount,
            role=changed.get("role", "signer-server"),
            common_name="signer",
            uri=changed.get("uri", _URI),
            hosts=("signer.internal", "127.0.0.1"),
            ttl_s=3_600,
        )
        self.keeper = CertificateKeeper(
            vault=PlainVaultApi(vault), wanted=wanted, files=self.files, clock=self.clock, log=self.log
        )

    @property
    def certificate(self) -> x509.Certificate:
        return x509.load_pem_x509_certificate(self.files.certificate.read_bytes())


async def test_a_missing_certificate_is_made_and_one_that_is_fresh_stays(
    vault_server: VaultServer, mount: str, tmp_path: Path
) -> None:
    scene = Scene(vault_server, mount, tmp_path)
    made = await scene.keeper.renew_if_due()
    first = scene.certificate
    again = await scene.keeper.renew_if_due()
    scene.clock.set(renewal_due(scene.files.certificate))
    at_two_thirds = await scene.keeper.renew_if_due()

    names = first.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    key = serialization.load_pem_private_key(scene.files.key.read_bytes(), password=None)
    assert (made, again, at_two_thirds) == (True, False, True)
    assert names.get_values_for_type(x509.UniformResourceIdentifier) == [_URI]
    assert names.get_values_for_type(x509.DNSName) == ["signer.internal"]
    assert [str(name) for name in names.get_values_for_type(x509.IPAddress)] == ["127.0.0.1"]
    assert key.public_key() == scene.certificate.public_key()
    assert scene.certificate.serial_number != first.serial_number


async def test_what_the_role_does_not_allow_is_refused_and_the_old_pair_stays(
    vault_server: VaultServer, mount: str, tmp_path: Path
) -> None:
    await Scene(vault_server, mount, tmp_path).keeper.renew()
    before = (tmp_path / "server.pem").read_bytes()
    for changed in ({"uri": "spiffe://somebody.else/signer"}, {"role": "nobody"}):
        scene = Scene(vault_server, mount, tmp_path, **changed)
        with pytest.raises(ConfigurationError, match="the role has to allow it"):
            await scene.keeper.renew()

    assert (tmp_path / "server.pem").read_bytes() == before


async def test_a_revoked_client_is_known_to_the_server_after_one_look(
    vault_server: VaultServer, mount: str, tmp_path: Path
) -> None:
    scene = Scene(vault_server, mount, tmp_path)
    await scene.keeper.renew()
    await scene.keeper.fetch_revocations()
    root = await vault_server.read(f"{mount}/cert/ca")
    (tmp_path / "ca.pem").write_text(str(root["certificate"]), encoding="utf-8")
    revocations = Revocations()
    tls = ServerTls(
        TlsFiles(
            certificate=scene.files.certificate,
            key=scene.files.key,
            client_authority=tmp_path / "ca.pem",
            revocation_list=scene.files.revocation_list,
        ),
        revocations=revocations,
        log=scene.log,
    )
    client = await vault_server.write(
        f"{mount}/issue/trader-client", {"common_name": "trader", "uri_sans": "spiffe://airlock.local/trader"}
    )
    issued = x509.load_pem_x509_certificate(str(client["certificate"]).encode())
    issuer = issued.issuer.public_bytes()
    before = revocations.is_revoked(issuer, issued.serial_number)
    await vault_server.write(f"{mount}/revoke", {"serial_number": client["serial_number"]})
    changed = (await scene.keeper.fetch_revocations(), await scene.keeper.fetch_revocations())
    tls.refresh()

    assert not before
    assert changed == (True, False)
    assert revocations.is_revoked(issuer, issued.serial_number)
