"""The Ledger backend: the contract of every backend, with each of its two applications open."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from solders.pubkey import Pubkey

from signer.adapters.dev_key.derivation import TEST_MNEMONIC, ethereum_key, solana_key
from signer.adapters.ledger_device.backend import LedgerBackend, LedgerPlace
from signer.domain.errors import BrokenError, PreconditionError
from signer.domain.reasons import FailReason
from signer.ports.key_backend import AttendedBackend
from tests.integration.devices.ledger_rig import (
    EVM,
    KEYS,
    PATIENT,
    REAL,
    SOLANA,
    SOLANA_PUBLIC,
    Events,
    Rig,
    blind_message,
    ledger_rig,
    only_the_double,
    pressing,
    real_application,
    transaction,
)
from tests.integration.key_backend_contract import KeyBackendContract, Subject

_SECRETS = (ethereum_key(0).hex(), solana_key(0).hex(), str(ethereum_key(0)), TEST_MNEMONIC)
_PUBLIC_KEY = bytes(Pubkey.from_string(SOLANA_PUBLIC))


@asynccontextmanager
async def _subject(folder: Path, app: str) -> AsyncIterator[Subject]:
    if not REAL:
        async with ledger_rig(folder, app=app) as rig:
            yield Subject(
                backend=rig.backend,
                evm_account=EVM,
                solana_account=SOLANA,
                solana_public_key=_PUBLIC_KEY,
                solana_message=blind_message(),
                secrets=_SECRETS,
                make_unavailable=rig.device.unplug,
            )
        return
    if real_application() != app:
        pytest.skip(f"{app} is not what runs at AIRLOCK_LEDGER_TCP")
    place = LedgerPlace(name="emulator", where=f"tcp:{REAL}", lock_file=folder / "ledger.lock")
    backend = LedgerBackend(KEYS, place, log=Events(), patience=PATIENT)
    yield Subject(
        backend=backend.attended(pressing),
        evm_account=EVM,
        solana_account=SOLANA,
        solana_public_key=_PUBLIC_KEY,
        solana_message=blind_message(),
        secrets=_SECRETS,
    )
    await backend.aclose()


class TestLedgerBackend(KeyBackendContract):
    """With the Ethereum application open; what is about Solana has the Solana application open."""

    @pytest.fixture
    async def subject(self, tmp_path: Path, request: pytest.FixtureRequest) -> AsyncIterator[Subject]:
        app = "Solana" if "solana" in request.node.name else "Ethereum"
        async with _subject(tmp_path, app) as subject:
            yield subject


@pytest.fixture(name="rig")
async def _rig(tmp_path: Path) -> AsyncIterator[Rig]:
    async with ledger_rig(tmp_path) as rig:
        yield rig


def test_it_is_attended(tmp_path: Path) -> None:
    place = LedgerPlace(name="one", where="tcp:127.0.0.1:9", lock_file=tmp_path / "lock")

    assert isinstance(LedgerBackend(KEYS, place, log=Events()), AttendedBackend)


@only_the_double
async def test_two_accounts_of_one_device_need_their_applications(rig: Rig) -> None:
    with pytest.raises(PreconditionError, match="open the application Solana") as caught:
        await rig.backend.sign_solana(SOLANA, blind_message())
    rig.device.open_app("Solana")
    signature = await rig.backend.sign_solana(SOLANA, blind_message())
    with pytest.raises(PreconditionError, match="open the application Ethereum"):
        await rig.backend.sign_evm(EVM, transaction())

    Ed25519PublicKey.from_public_bytes(_PUBLIC_KEY).verify(signature, blind_message())
    assert caught.value.reason is FailReason.DEVICE_WRONG_APP


@only_the_double
async def test_an_account_is_not_adopted_but_configured(rig: Rig) -> None:
    stranger = EVM.replace("31337", "1337")

    with pytest.raises(PreconditionError, match="added by configuration"):
        await rig.backend.adopt(type(EVM)(stranger))
    await rig.backend.adopt(EVM)


@only_the_double
async def test_an_evm_account_signs_no_solana_message_and_the_other_way_round(rig: Rig) -> None:
    with pytest.raises(BrokenError):
        await rig.backend.sign_evm(SOLANA, transaction())

    assert rig.device.commands == []
