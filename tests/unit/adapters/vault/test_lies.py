"""Answers of the right outline and still no Vault's: each is named, and nothing of it is kept."""

import base64
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from typing_extensions import override

from signer.adapters.pki.authority import Authority
from signer.adapters.vault.api import Body, Used, VaultApi, Wrapped
from signer.adapters.vault.certificate_keeper import LOOK_EVERY_S, CertificateFiles, CertificateKeeper
from signer.adapters.vault.checkpoint_key import VaultCheckpointKey
from signer.adapters.vault.envelopes import FileEnvelopes
from signer.adapters.vault.lease import lease_of
from signer.adapters.vault.new_account import NewAccounts
from signer.adapters.vault.pki import CertificateWanted, revocation_list
from signer.adapters.vault.refusals import ItemRefused
from signer.adapters.vault.secret_batch import opened
from signer.adapters.vault.transit import Transit
from signer.domain.accounts import ChainName
from signer.domain.checkpoints import Statement
from signer.domain.errors import SignerError, UnavailableError
from signer.domain.reasons import FailReason
from signer.domain.time import UnixMs
from tests.fakes.clock import FakeClock
from tests.fakes.signer_world import ListLog

AES_KEY: Mapping[str, object] = {
    "type": "aes256-gcm96",
    "exportable": False,
    "deletion_allowed": False,
    "allow_plaintext_backup": False,
    "derived": True,
    "latest_version": 1,
    "min_decryption_version": 1,
    "min_encryption_version": 0,
    "keys": {"1": 1_700_000_000},
}
ED25519_KEY = {**AES_KEY, "type": "ed25519", "derived": False}
WANTED = CertificateWanted(
    mount="pki", role="r", common_name="signer", uri="spiffe://airlock.local/signer", hosts=(), ttl_s=60
)


class LyingVault(VaultApi):
    """Answers every question with the same."""

    def __init__(self, answer: Mapping[str, object], secret: bytes = b"") -> None:
        self.answer, self.secret = answer, secret
        self.asked: list[str] = []

    @override
    async def read(self, path: str) -> Mapping[str, object] | None:
        self.asked.append(path)
        return self.answer

    @override
    async def write(self, path: str, body: Body) -> Mapping[str, object]:
        self.asked.append(path)
        return self.answer

    @override
    async def write_secret(
        self, path: str, body: Body | memoryview, use: Callable[[memoryview], Used]
    ) -> Used:
        return use(memoryview(bytearray(self.secret)))

    @override
    async def list(self, path: str) -> tuple[str, ...]:
        raise NotImplementedError

    @override
    async def write_wrapped(self, path: str, body: Body, *, ttl_s: int) -> Wrapped:
        raise NotImplementedError

    @override
    async def delete(self, path: str) -> None:
        raise NotImplementedError


@pytest.mark.parametrize(
    "keys",
    [
        {"one": {"public_key": "AAAA", "creation_time": ""}},
        {"1": {"public_key": "A", "creation_time": ""}},
        {"1" * 5_000: 1},
    ],
    ids=("no number", "no base64", "no end"),
)
async def test_versions_of_a_key_that_make_no_sense_are_named(keys: Mapping[str, object]) -> None:
    with pytest.raises(UnavailableError) as caught:
        await Transit(LyingVault({**ED25519_KEY, "keys": keys})).facts("k")

    assert caught.value.reason is FailReason.VAULT_FAULTY


@pytest.mark.parametrize(
    "said", [b"{}", b'{"data":{"ciphertext":""}}', b'{"data":{"ciphertext":"vault:v1:!"}}']
)
async def test_an_account_whose_key_was_not_wrapped_is_not_stored(said: bytes, tmp_path: Path) -> None:
    store = FileEnvelopes(tmp_path)
    accounts = NewAccounts(
        transit=Transit(LyingVault(AES_KEY, said)), envelopes=store, wrapping_key="airlock-envelopes"
    )

    with pytest.raises(UnavailableError) as caught:
        await accounts.create(ChainName("eip155:1"))

    assert caught.value.reason is FailReason.VAULT_FAULTY
    assert await store.accounts() == ()


@pytest.mark.parametrize(
    "said", ["-----BEGIN X509 CRL-----\n", "-----BEGIN X509 CRL-----\nAAAA\n-----END X509 CRL-----\n"]
)
async def test_a_revocation_list_that_is_cut_off_does_not_replace_a_good_one(said: str) -> None:
    with pytest.raises(SignerError):
        await revocation_list(LyingVault({"certificate": said}), "pki")


@pytest.mark.parametrize("body", ["", "AAAA\n-----END CERTIFICATE-----\n"])
async def test_the_keeper_of_certificates_outlives_a_certificate_that_is_none_and_a_full_disk(
    body: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    vault, log, looks = LyingVault({"certificate": f"-----BEGIN CERTIFICATE-----\n{body}"}), ListLog(), 0
    folder = tmp_path / "gone"
    keeper = CertificateKeeper(
        vault=vault,
        wanted=WANTED,
        files=CertificateFiles(certificate=folder / "a", key=folder / "b", revocation_list=folder / "c"),
        clock=FakeClock(UnixMs(0)),
        log=log,
    )

    async def sleep(seconds: float) -> None:
        nonlocal looks
        assert seconds == LOOK_EVERY_S
        looks += 1
        authority = Authority(name="Airlock", now=UnixMs(1_700_000_000_000))
        vault.answer = {"certificate": authority.revocation_list().decode()}
        if looks == 2:
            raise EndOfTestError

    monkeypatch.setattr("signer.adapters.vault.certificate_keeper.asyncio.sleep", sleep)

    with pytest.raises(EndOfTestError):
        await keeper.run()

    steps = [fields["step"] for event, fields in log.events if event == "certificate.not_renewed"]
    assert steps == ["renew_if_due", "fetch_revocations"] * 2


class EndOfTestError(Exception):
    """Enough was seen."""


@pytest.mark.parametrize(
    ("signature", "key"),
    [
        (bytes(64), ED25519_KEY),
        (bytes(70), ED25519_KEY),
        (bytes(64), {**ED25519_KEY, "type": "ecdsa-p256"}),
    ],
    ids=("of another key", "of another length", "by a key of another type"),
)
async def test_a_checkpoint_that_the_key_did_not_sign_is_none(
    signature: bytes, key: Mapping[str, object]
) -> None:
    result = {"signature": f"vault:v1:{base64.b64encode(signature).decode()}"}
    public = {"1": {"public_key": base64.b64encode(bytes(32)).decode(), "creation_time": ""}}
    vault = LyingVault({**key, "keys": public, "batch_results": [result]})
    statement = Statement(seq=1, hash="00" * 32, after=-1, at=UnixMs(0), key="airlock-audit")

    with pytest.raises(SignerError):
        await VaultCheckpointKey(Transit(vault), "airlock-audit").sign(statement)


async def test_why_an_item_was_refused_is_quoted_in_part() -> None:
    vault = LyingVault({"batch_results": [{"error": "a" * 10_000}]})

    (refused,) = await Transit(vault).sign_batch("k", [b""], key_version=1)
    (unopened,) = opened(memoryview(b'{"batch_results":[{"error":"' + b"a" * 10_000 + b'"}]}'), 1)

    assert len(str(refused)) < 1_000
    assert isinstance(unopened, ItemRefused)
    assert len(unopened.text) < 1_000


@pytest.mark.parametrize("token", ["hvs.\u00e4", "hvs.a\r\nX-Vault-Wrap-TTL: 1", "", "a" * 9_000])
def test_a_token_that_cannot_be_one_is_refused_and_not_quoted(token: str) -> None:
    with pytest.raises(UnavailableError) as caught:
        lease_of({"client_token": token, "lease_duration": 60}, UnixMs(0))

    assert caught.value.reason is FailReason.VAULT_FAULTY
    assert "hvs." not in str(caught.value)
