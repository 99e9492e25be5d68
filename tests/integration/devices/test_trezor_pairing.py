"""Pairing as a command calls it: a code, a credential in a file, and nothing of it to be seen."""

import logging
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from trezorlib.thp.channel import Channel

from signer.adapters.dev_key.derivation import TEST_MNEMONIC
from signer.adapters.device.lock import DeviceLock
from signer.adapters.trezor_device.backend import TrezorBackend
from signer.adapters.trezor_device.credentials import read_credentials, store_credential
from signer.adapters.trezor_device.device import TrezorDevice
from signer.adapters.trezor_device.pairing import PairedDevice, pair
from signer.domain.errors import (
    BrokenError,
    ConfigurationError,
    PreconditionError,
    RejectedError,
    SignerError,
    UnavailableError,
)
from signer.domain.reasons import DenyReason, FailReason
from signer.mock.devices.trezor.device import TrezorDevice as Double
from signer.mock.devices.trezor.flavour import SAFE_3, SAFE_7, Flavour
from signer.mock.devices.trezor.person import Press
from signer.mock.devices.trezor.thp.wire import ThpWire
from signer.mock.devices.trezor.udp import UdpServer
from signer.mock.devices.trezor.usb import UsbPort
from tests.integration.devices.trezor_rig import (
    APPROVE,
    EVM,
    IGNORE,
    KEYS,
    OTHER_MNEMONIC,
    REJECT,
    UNPLUG,
    scripted,
    transaction,
)


@dataclass(slots=True, kw_only=True)
class _Desk:
    """A device, and a person who reads its code to this computer."""

    device: Double
    port: UsbPort
    settings: TrezorDevice
    told: list[str] = field(default_factory=list)

    @property
    def file(self) -> Path:
        assert self.settings.credentials_file is not None
        return self.settings.credentials_file

    @property
    def wire(self) -> ThpWire:
        assert isinstance(self.port.wire, ThpWire)
        return self.port.wire

    def code(self) -> str:
        assert self.device.state.code is not None
        return self.device.state.code

    def pair(self, ask_code: Callable[[], str] | None = None, *, autoconnect: bool = True) -> PairedDevice:
        return pair(
            self.settings, ask_code=ask_code or self.code, host_name="desk", app_name="airlock-signer",
            autoconnect=autoconnect, tell=self.told.append, find=self.port.find,
        )  # fmt: skip


@pytest.fixture
def desk(tmp_path: Path) -> _Desk:
    return _desk(tmp_path)


async def test_a_paired_device_signs_and_is_never_asked_for_a_code_again(desk: _Desk) -> None:
    paired = desk.pair()

    assert paired == PairedDevice(
        model="Safe 7", public_key=desk.wire.identity.public_key, credentials_file=desk.file,
        autoconnect=True, others=0,
    )  # fmt: skip
    assert desk.file.stat().st_mode & 0o777 == 0o600
    assert [text.split()[0] for text in desk.told] == ["confirm", "allow"]
    backend = TrezorBackend(desk.settings, KEYS, find=desk.port.find)
    for nonce in range(2):
        await backend.check(EVM)
        await backend.sign_evm(EVM, transaction(nonce))
        desk.port.restart()
    await backend.aclose()
    assert desk.device.received.count("ThpPairingRequest") == 1


def test_it_works_over_udp_and_with_a_code_that_is_typed_as_it_is_shown(tmp_path: Path) -> None:
    device = Double(mnemonic=TEST_MNEMONIC, flavour=SAFE_7)
    with UdpServer(device) as server:
        settings = TrezorDevice(
            where=f"udp:{server.address}", allow_udp=True, lock_file=tmp_path / "lock",
            credentials_file=tmp_path / "credentials",
        )  # fmt: skip

        def read() -> str:
            code = device.state.code or ""
            return f" {code[:3]} {code[3:]}\n"

        assert pair(settings, ask_code=read, host_name="desk", app_name="a").autoconnect


async def test_a_person_may_want_to_be_asked_after_each_restart(desk: _Desk) -> None:
    desk.device.person = scripted(APPROVE, REJECT)
    assert not desk.pair().autoconnect
    assert not desk.pair(autoconnect=False).autoconnect

    backend = TrezorBackend(desk.settings, KEYS, find=desk.port.find)
    desk.port.restart()
    with pytest.raises(PreconditionError, match="may connect"):
        await backend.check(EVM)
    await backend.sign_evm(EVM, transaction(0))
    await backend.aclose()


@pytest.mark.parametrize("typed", ["", "12345", "1234567", "abcdef", "١٢٣٤٥٦", "wrong"])
def test_a_wrong_code_pairs_nothing_and_the_next_attempt_works(desk: _Desk, typed: str) -> None:
    def mistype() -> str:
        return f"{(int(desk.code()) + 1) % 1_000_000:06}" if typed == "wrong" else typed

    with pytest.raises(PreconditionError, match="shows a new code") as caught:
        desk.pair(mistype)

    assert caught.value.reason is FailReason.DEVICE_NOT_PAIRED
    assert not desk.file.exists()
    assert not desk.device.busy
    assert desk.pair().autoconnect


def test_a_person_may_refuse_on_the_device(desk: _Desk) -> None:
    desk.device.person = scripted(REJECT)
    with pytest.raises(RejectedError) as caught:
        desk.pair()

    assert caught.value.reason is DenyReason.REJECTED_ON_DEVICE
    assert not desk.file.exists()
    assert desk.pair().autoconnect


def test_a_person_may_leave_the_code_on_the_device(desk: _Desk) -> None:
    desk.settings = replace(desk.settings, answer_ms=1_000)

    def leave() -> str:
        code = desk.code()
        desk.device.press(Press.REJECT)
        return code

    with pytest.raises(SignerError):
        desk.pair(leave)

    assert not desk.file.exists()
    assert desk.pair().autoconnect


def test_a_person_may_leave_the_terminal(desk: _Desk) -> None:
    def control_c() -> str:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        desk.pair(control_c)

    assert not desk.device.busy
    assert desk.device.state.code is None
    assert not desk.file.exists()
    desk.pair()


def test_nobody_confirms(tmp_path: Path) -> None:
    desk = _desk(tmp_path)
    desk.settings = replace(desk.settings, approval_ms=800, answer_ms=800)
    desk.device.person = scripted(IGNORE)
    with pytest.raises(RejectedError, match="in time") as caught:
        desk.pair()

    assert caught.value.reason is DenyReason.NOT_CONFIRMED_IN_TIME
    assert not desk.device.busy
    desk.settings = replace(desk.settings, approval_ms=20_000, answer_ms=20_000)
    assert desk.pair().autoconnect


def test_the_cable_is_pulled(desk: _Desk) -> None:
    desk.device.person = scripted(UNPLUG)
    for _ in range(2):
        with pytest.raises(UnavailableError) as caught:
            desk.pair()
        assert caught.value.reason is FailReason.DEVICE_GONE

    desk.port.plug()
    assert desk.pair().autoconnect


def test_a_cable_that_is_pulled_at_the_last_question_leaves_the_pairing(desk: _Desk) -> None:
    desk.device.person = scripted(APPROVE, UNPLUG)

    assert not desk.pair().autoconnect
    assert not read_credentials(desk.file)[0].autoconnect


def test_a_locked_device_is_unlocked_on_the_way(tmp_path: Path) -> None:
    desk = _desk(tmp_path, pin="1")

    assert desk.pair().autoconnect
    assert desk.told[0] == "enter the PIN on the device"


def test_a_device_that_stays_locked_says_so(tmp_path: Path) -> None:
    desk = _desk(tmp_path, pin="1")
    desk.device.person = scripted(REJECT)
    with pytest.raises(PreconditionError) as caught:
        desk.pair()

    assert caught.value.reason is FailReason.DEVICE_LOCKED
    assert desk.pair().autoconnect


def test_other_models_need_no_pairing(tmp_path: Path) -> None:
    with pytest.raises(PreconditionError, match="needs no pairing"):
        _desk(tmp_path, flavour=SAFE_3).pair()


def test_pairing_again_replaces_the_credential_of_this_device_and_of_no_other(tmp_path: Path) -> None:
    first, second = _desk(tmp_path), _desk(tmp_path, mnemonic=OTHER_MNEMONIC)
    first.pair()
    (kept,) = read_credentials(first.file)
    assert second.pair().others == 1
    assert second.pair().others == 1

    assert kept in read_credentials(first.file)
    assert len(read_credentials(first.file)) == 2


def test_a_file_that_cannot_be_used_is_named_before_a_person_is_asked(desk: _Desk) -> None:
    desk.file.write_text("[]")
    desk.file.chmod(0o644)
    for file, text in (None, "set credentials"), (desk.file / "in" / "it", "in/it"), (desk.file, "0600"):
        with pytest.raises(ConfigurationError, match=text):
            replace(desk, settings=replace(desk.settings, credentials_file=file)).pair()

    assert desk.device.received == []


def test_a_device_that_a_signer_holds_is_left_alone(desk: _Desk) -> None:
    lock = DeviceLock(desk.settings.lock_file)
    lock.take()
    with pytest.raises(UnavailableError, match="another process") as caught:
        desk.pair()

    assert caught.value.reason is FailReason.DEVICE_BUSY
    lock.release()
    assert desk.pair().autoconnect


def test_somebody_between_who_knows_the_code_and_not_the_promise_is_named(
    desk: _Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "signer.mock.devices.trezor.thp.code_entry.CodeEntry.commitment", property(lambda _: bytes(32))
    )
    with pytest.raises(BrokenError, match="stand between"):
        desk.pair()

    assert not desk.file.exists()


def test_no_secret_is_logged_told_or_shown(desk: _Desk, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        paired = desk.pair()
    (credential,) = read_credentials(desk.file)
    shown = caplog.text + repr(paired) + "".join(desk.told) + repr(credential)
    key, word = credential.host_privkey, credential.credential

    for secret in key, word:
        assert secret.hex() not in shown
        assert str(secret) not in shown
    store_credential(desk.file, credential)


@pytest.fixture(autouse=True)
def _short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Channel, "BUSY_BACKOFF_TIME", 0.001)


def _desk(
    folder: Path,
    *,
    flavour: Flavour = SAFE_7,
    pin: str | None = None,
    mnemonic: str = TEST_MNEMONIC,
) -> _Desk:
    device = Double(mnemonic=mnemonic, flavour=flavour, pin=pin)
    port = UsbPort(device, instant=True)
    settings = TrezorDevice(
        where=port.path, lock_file=folder / "lock", credentials_file=folder / "credentials",
    )  # fmt: skip
    return _Desk(device=device, port=port, settings=settings)
