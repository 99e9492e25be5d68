"""The contract of key backends on the Trezor double, or on an emulator."""

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from signer.adapters.dev_key.derivation import TEST_MNEMONIC
from signer.adapters.trezor_device.backend import TrezorBackend
from signer.adapters.trezor_device.credentials import read_credentials
from signer.adapters.trezor_device.device import TrezorDevice
from signer.domain.accounts import AccountId
from signer.domain.errors import PreconditionError
from signer.mock.devices.trezor.flavour import SAFE_7
from signer.ports.key_backend import AttendedBackend, KeyBackend
from tests.integration.devices.trezor_rig import (
    CHAIN_ID,
    EMULATOR,
    EVM,
    KEYS,
    SOLANA,
    SOLANA_PUBLIC_KEY,
    press,
    rig,
    solana_message,
)
from tests.integration.key_backend_contract import KeyBackendContract, Subject


class TestTrezorBackend(KeyBackendContract):
    @pytest.fixture
    async def subject(self, tmp_path: Path) -> AsyncIterator[Subject]:
        if EMULATOR:
            device = TrezorDevice(where=f"udp:{EMULATOR}", allow_udp=True, lock_file=tmp_path / "lock")
            opened_device = TrezorBackend(device, KEYS)
            yield _subject(opened_device.attended(press))
            await opened_device.aclose()
        else:
            async with rig() as opened:
                subject = _subject(opened.backend)
                yield Subject(
                    backend=subject.backend, evm_account=EVM, solana_account=SOLANA,
                    solana_public_key=SOLANA_PUBLIC_KEY, solana_message=solana_message(),
                    secrets=subject.secrets, make_unavailable=opened.port.unplug, chain_id=CHAIN_ID,
                )  # fmt: skip

    async def test_an_account_is_added_by_configuration_only(self, subject: Subject) -> None:
        await subject.backend.adopt(EVM)
        with pytest.raises(PreconditionError, match="added by configuration"):
            await subject.backend.adopt(AccountId(f"eip155:{CHAIN_ID}:0x" + "99" * 20))


class TestTrezorBackendOverThp(KeyBackendContract):
    @pytest.fixture
    async def subject(self) -> AsyncIterator[Subject]:
        async with rig(flavour=SAFE_7) as opened:
            credentials = opened.backend._device.credentials_file
            (paired,) = read_credentials(credentials)
            secrets = (
                TEST_MNEMONIC,
                paired.host_privkey.hex(),
                paired.credential.hex(),
                str(paired.credential),
            )
            subject = _subject(opened.backend)
            yield replace(subject, secrets=secrets, make_unavailable=opened.port.unplug)


async def test_it_is_attended() -> None:
    async with rig() as opened:
        assert isinstance(opened.backend, AttendedBackend)


def _subject(backend: KeyBackend) -> Subject:
    return Subject(
        backend=backend, evm_account=EVM, solana_account=SOLANA, solana_public_key=SOLANA_PUBLIC_KEY,
        solana_message=solana_message(), secrets=(TEST_MNEMONIC,), chain_id=CHAIN_ID,
    )  # fmt: skip
