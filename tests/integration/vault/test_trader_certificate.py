"""The trader's certificate out of a real PKI engine: renewed at two thirds, and always one pair."""

import uuid
from pathlib import Path

import pytest
import pytest_asyncio
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from tests.fakes.trader_clock import TraderClock
from tests.testbed.vault import VaultServer
from trader.adapters.secrets.client_certificate import ClientCertificate, PairFiles
from trader.adapters.secrets.vault import VaultSecrets
from trader.adapters.secrets.vault_client import VaultPlace
from trader.adapters.secrets.vault_login import AppRoleLogin
from trader.adapters.signer_client.expiry import validity_s
from trader.adapters.signer_client.pair import check_pair
from trader.domain.errors import ConfigurationError
from trader.settings import VaultCertificateSettings

_URI = "spiffe://airlock.local/trader"


@pytest_asyncio.fixture
async def mount(vault_server: VaultServer) -> str:
    name = f"pki-{uuid.uuid4().hex[:8]}"
    await vault_server.write(f"sys/mounts/{name}", {"type": "pki", "config": {"max_lease_ttl": "8760h"}})
    await vault_server.write(
        f"{name}/root/generate/internal", {"common_name": "Airlock", "key_type": "ec", "ttl": "8760h"}
    )
    await vault_server.write(
        f"{name}/roles/trader-client",
        {
            "key_type": "ec",
            "key_bits": 256,
            "allowed_domains": ["trader"],
            "allow_bare_domains": True,
            "allowed_uri_sans": [_URI],
            "server_flag": False,
            "client_flag": True,
            "max_ttl": "72h",
        },
    )
    return name


@pytest_asyncio.fixture
async def vault(vault_server: VaultServer, tmp_path: Path) -> VaultSecrets:
    name = f"approle-{uuid.uuid4().hex[:8]}"
    await vault_server.write(f"sys/auth/{name}", {"type": "approle"})
    rules = 'path "pki-*" { capabilities = ["update"] }'
    await vault_server.write(f"sys/policies/acl/{name}", {"policy": rules})
    await vault_server.write(f"auth/{name}/role/trader", {"token_policies": [name]})
    role = await vault_server.read(f"auth/{name}/role/trader/role-id")
    wrapping = await vault_server.wrapped(f"auth/{name}/role/trader/secret-id")
    (tmp_path / "secret-id").write_text(wrapping, encoding="ascii")
    login = AppRoleLogin(mount=name, role_id=str(role["role_id"]), secret_id_file=tmp_path / "secret-id")
    place = VaultPlace(address=vault_server.url, ca_file=vault_server.ca, namespace=None, timeout_ms=2_000)
    return VaultSecrets(place, login, TraderClock.running())


@pytest.fixture
def files(tmp_path: Path) -> PairFiles:
    return PairFiles(certificate=tmp_path / "trader.pem", key=tmp_path / "trader.key")


def _wanted(mount: str, uri: str = _URI) -> VaultCertificateSettings:
    return VaultCertificateSettings(mount=mount, uri=uri, ttl_s=3_600)


async def test_it_is_made_when_missing_renewed_at_two_thirds_and_mended_when_it_is_no_pair(
    vault: VaultSecrets, mount: str, files: PairFiles
) -> None:
    clock = TraderClock.running()
    certificate = ClientCertificate(vault, _wanted(mount), files, clock)
    made, again = await certificate.renew_if_due(), await certificate.renew_if_due()
    begin, end = validity_s(files.certificate)
    first = x509.load_pem_x509_certificate(files.certificate.read_bytes())
    clock.advance_ms((end - begin) * 2_000 // 3)
    at_two_thirds = await certificate.renew_if_due()
    files.certificate.write_bytes(first.public_bytes(Encoding.PEM))
    clock.advance_ms(-(end - begin) * 2_000 // 3)
    mended = await certificate.renew_if_due()

    names = first.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert (made, again, at_two_thirds, mended) == (True, False, True, True)
    assert [str(name.value) for name in names] == [_URI]
    assert files.key.stat().st_mode & 0o777 == 0o600
    check_pair(files.certificate, files.key)
    await vault.close()


async def test_a_name_that_the_role_does_not_allow_is_refused(
    vault: VaultSecrets, mount: str, files: PairFiles
) -> None:
    wanted = _wanted(mount, uri="spiffe://airlock.local/admin")

    with pytest.raises(ConfigurationError, match="not valid for this role"):
        await ClientCertificate(vault, wanted, files, TraderClock.running()).renew_if_due()
    assert not files.certificate.exists()
    await vault.close()


async def test_a_folder_that_cannot_be_written_is_named(
    vault: VaultSecrets, mount: str, tmp_path: Path
) -> None:
    nowhere = PairFiles(certificate=tmp_path / "no" / "trader.pem", key=tmp_path / "no" / "trader.key")

    with pytest.raises(ConfigurationError, match=str(tmp_path / "no")):
        await ClientCertificate(vault, _wanted(mount), nowhere, TraderClock.running()).renew_if_due()
    await vault.close()
