"""What Vault answers is looked at before it replaces the pair in use; a passphrase is never asked for."""

from collections.abc import Mapping
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)

from signer.adapters.pki.authority import Authority
from signer.adapters.system_clock import SystemClock
from tests.fakes.trader_clock import TraderClock
from trader.adapters.secrets.client_certificate import ClientCertificate, PairFiles
from trader.adapters.signer_client.pair import check_pair
from trader.domain.errors import ConfigurationError, SecretsUnavailableError
from trader.settings import VaultCertificateSettings

URI = "spiffe://airlock.local/trader"
ISSUED = Authority(name="clients", now=SystemClock().now()).client(URI, common_name="trader")
ANOTHER = Authority(name="clients", now=SystemClock().now()).client(URI, common_name="trader")


class Answers:
    def __init__(self, answer: Mapping[str, object]) -> None:
        self._answer = answer

    async def write(self, path: str, body: Mapping[str, object]) -> Mapping[str, object]:
        del path, body
        return self._answer


@pytest.fixture
def files(tmp_path: Path) -> PairFiles:
    found = PairFiles(certificate=tmp_path / "trader.pem", key=tmp_path / "trader.key")
    found.certificate.write_bytes(ISSUED.certificate)
    found.key.write_bytes(ISSUED.key)
    return found


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        ({"certificate": ANOTHER.certificate.decode()}, "for another key"),
        (
            {"certificate": "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----"},
            "without a certificate",
        ),
        ({"certificate": 7}, "without a certificate"),
        ({}, "without a certificate"),
    ],
)
async def test_an_answer_that_is_not_ours_leaves_the_pair_in_use(
    files: PairFiles, answer: Mapping[str, object], why: str
) -> None:
    clock = TraderClock.running()
    clock.advance_ms(10**12)
    with pytest.raises(SecretsUnavailableError, match=why):
        await ClientCertificate(
            Answers(answer), VaultCertificateSettings(uri=URI), files, clock
        ).renew_if_due()

    check_pair(files.certificate, files.key)


def test_a_key_with_a_passphrase_is_refused_and_not_asked_for(files: PairFiles) -> None:
    key = load_pem_private_key(ISSUED.key, None)
    locked = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"hunter2"))
    files.key.write_bytes(locked)

    with pytest.raises(ConfigurationError, match="without a passphrase"):
        check_pair(files.certificate, files.key)
