"""Each row of the error table: produced on the double, its error checked, and the next request works."""

import asyncio
from dataclasses import replace

import pytest
import usb1
from trezorlib import exceptions, messages
from trezorlib.thp.exceptions import ThpError, ThpErrorCode
from trezorlib.transport import Transport

from signer.adapters.trezor_device import errors
from signer.adapters.trezor_device.device import TrezorKey
from signer.adapters.trezor_device.request import Request
from signer.domain.errors import (
    BrokenError,
    InvalidRequestError,
    PreconditionError,
    RejectedError,
    SignerError,
    UnavailableError,
)
from signer.domain.reasons import DenyReason, FailReason
from signer.mock.devices.trezor.flavour import MODEL_ONE, MODEL_T, SAFE_3, SAFE_7, Flavour
from signer.mock.devices.trezor.person import Decision, Press
from signer.mock.devices.trezor.usb import UsbPort
from signer.ports.device import DevicePhase
from tests.integration.devices.trezor_rig import (
    APPROVE,
    EVM,
    IGNORE,
    KEYS,
    OTHER_MNEMONIC,
    REJECT,
    SEED,
    SOLANA,
    UNPLUG,
    WRONG_PIN,
    at_screen,
    rig,
    scripted,
    solana_message,
)

EVERY = pytest.mark.parametrize("flavour", [MODEL_ONE, MODEL_T, SAFE_3, SAFE_7], ids=lambda each: each.name)
V1_AND_THP = pytest.mark.parametrize("flavour", [MODEL_T, SAFE_7], ids=lambda each: each.name)


@EVERY
async def test_a_rejection_is_a_denial(flavour: Flavour) -> None:
    async with rig(person=at_screen(2, REJECT), flavour=flavour) as opened:
        with pytest.raises(RejectedError) as caught:
            await opened.sign()

        assert caught.value.reason is DenyReason.REJECTED_ON_DEVICE
        await opened.sign(1)


@EVERY
async def test_a_caller_who_leaves_ends_the_dialog(flavour: Flavour) -> None:
    async with rig(person=at_screen(1, IGNORE), flavour=flavour, instant=False) as opened:
        leaving = asyncio.create_task(opened.sign())
        await opened.until_shown()
        leaving.cancel()
        with pytest.raises(asyncio.CancelledError):
            await leaving

        await opened.sign(1)
        assert "Cancel" in opened.device.received[1:]


@EVERY
async def test_nobody_presses_and_the_request_is_taken_off_the_display(flavour: Flavour) -> None:
    async with rig(person=at_screen(2, IGNORE), flavour=flavour, approval_ms=600, answer_ms=600) as opened:
        with pytest.raises(RejectedError) as caught:
            await opened.sign()

        assert caught.value.reason is DenyReason.NOT_CONFIRMED_IN_TIME
        assert not opened.device.press(Press.APPROVE)
        await opened.sign(1)


@EVERY
async def test_the_cable_is_pulled_while_the_person_reads(flavour: Flavour) -> None:
    async with rig(person=at_screen(2, UNPLUG), flavour=flavour) as opened:
        with pytest.raises(PreconditionError) as caught:
            await opened.sign()

        assert caught.value.reason is FailReason.DEVICE_OUTCOME_UNKNOWN
        assert opened.device.received.count("EthereumSignTxEIP1559") == 1
        opened.port.plug()
        await opened.sign(1)


@V1_AND_THP
async def test_the_device_falls_silent_while_the_person_reads(flavour: Flavour) -> None:
    async with rig(
        flavour=flavour, person=at_screen(1, IGNORE), approval_ms=800, answer_ms=800, instant=False
    ) as opened:
        signing = asyncio.create_task(opened.sign())
        await opened.until_shown()
        opened.device.silent = True
        with pytest.raises(PreconditionError) as caught:
            await signing

        assert caught.value.reason is FailReason.DEVICE_OUTCOME_UNKNOWN
        opened.device.silent = False
        await opened.sign(1)


@V1_AND_THP
async def test_the_device_is_not_there(flavour: Flavour) -> None:
    async with rig(flavour=flavour) as opened:
        opened.port.unplug()
        with pytest.raises(UnavailableError, match="plug it in") as caught:
            await opened.sign()

        assert caught.value.reason is FailReason.DEVICE_GONE
        opened.port.plug()
        await opened.sign(1)


@V1_AND_THP
async def test_the_device_does_not_answer(flavour: Flavour) -> None:
    async with rig(flavour=flavour, answer_ms=800) as opened:
        opened.device.silent = True
        with pytest.raises(UnavailableError, match="does not answer") as caught:
            await opened.sign()

        assert caught.value.reason is FailReason.DEVICE_GONE
        opened.device.silent = False
        await opened.sign(1)


@pytest.mark.parametrize("flavour", [MODEL_ONE, MODEL_T, SAFE_3], ids=lambda each: each.name)
async def test_a_dialog_that_another_program_left_is_ended_and_ours_is_shown(flavour: Flavour) -> None:
    async with rig(flavour=flavour, person=at_screen(1, IGNORE), answer_ms=100) as opened:
        await opened.backend.check(EVM)
        opened.device.receive(messages.EthereumGetAddress(address_n=KEYS[0].steps, show_display=True))
        opened.device.receive(messages.ButtonAck())
        while not opened.port.replies.empty():
            opened.port.replies.get()

        await opened.sign()


@V1_AND_THP
async def test_another_program_holds_the_device(flavour: Flavour) -> None:
    async with rig(flavour=flavour) as opened:
        suite = opened.port.find()
        suite.open()
        with pytest.raises(UnavailableError, match="close Trezor Suite") as caught:
            await opened.sign()

        assert caught.value.reason is FailReason.DEVICE_BUSY
        suite.close()
        await opened.sign(1)


@V1_AND_THP
async def test_this_host_may_not_open_the_device(flavour: Flavour) -> None:
    async with rig(flavour=flavour) as opened:
        opened.port.forbidden = True
        with pytest.raises(UnavailableError, match="udev rules") as caught:
            await opened.sign()

        assert caught.value.reason is FailReason.DEVICE_GONE
        opened.port.forbidden = False
        await opened.sign(1)


@V1_AND_THP
async def test_a_device_that_was_plugged_in_again_is_found_again_without_a_word(flavour: Flavour) -> None:
    async with rig(flavour=flavour) as opened:
        await opened.sign()
        opened.port.restart()

        await opened.sign(1)


async def test_a_locked_model_one_is_not_given_a_pin() -> None:
    async with rig(flavour=MODEL_ONE, pin="1234") as opened:
        with pytest.raises(PreconditionError, match="Trezor Suite") as caught:
            await opened.sign()

        assert caught.value.reason is FailReason.DEVICE_LOCKED
        opened.device.state.unlocked = True
        await opened.sign(1)


@pytest.mark.parametrize("flavour", [MODEL_T, SAFE_3, SAFE_7], ids=lambda each: each.name)
async def test_a_locked_device_is_unlocked_by_its_person_and_signs(flavour: Flavour) -> None:
    async with rig(flavour=flavour, pin="1", person=scripted(WRONG_PIN, APPROVE)) as opened:
        await opened.sign()

        assert "enter the PIN on the device" in {each.message for each in opened.watched}
        opened.device.lock()
        await opened.sign(1)


@V1_AND_THP
@pytest.mark.parametrize("answer", [IGNORE, REJECT], ids=["nobody comes", "left"])
async def test_a_device_that_stays_locked_says_so(answer: Decision, flavour: Flavour) -> None:
    async with rig(
        flavour=flavour, pin="1", person=scripted(answer), approval_ms=600, answer_ms=600
    ) as opened:
        with pytest.raises(PreconditionError, match="enter the PIN on the device") as caught:
            await opened.sign()

        assert caught.value.reason is FailReason.DEVICE_LOCKED
        await opened.sign(1)


@EVERY
async def test_a_check_of_a_locked_device_shows_nothing(flavour: Flavour) -> None:
    async with rig(flavour=flavour, pin="1") as opened:
        with pytest.raises(PreconditionError) as caught:
            await opened.backend.check(EVM)

        assert caught.value.reason is FailReason.DEVICE_LOCKED
        assert {"ButtonAck", "PinMatrixAck"}.isdisjoint(opened.device.received)
        opened.device.state.unlocked = True
        await opened.backend.check(EVM)


@V1_AND_THP
async def test_an_evicted_session_is_opened_anew_without_a_word(flavour: Flavour) -> None:
    async with rig(flavour=flavour) as opened:
        await opened.sign()
        opened.device.evict_sessions()

        await opened.sign(1)


@V1_AND_THP
async def test_a_passphrase_that_the_settings_do_not_know_is_another_wallet(flavour: Flavour) -> None:
    async with rig(flavour=flavour, passphrase="hidden") as opened:
        await opened.sign()  # the empty passphrase is given explicitly, and is the pinned wallet

        opened.device.evict_sessions()
        await opened.sign(1)


@V1_AND_THP
async def test_a_passphrase_typed_on_the_device_is_checked_against_the_pin(flavour: Flavour) -> None:
    async with rig(flavour=flavour, passphrase="hidden", passphrase_on_device=True) as opened:
        with pytest.raises(BrokenError, match="another seed or passphrase"):
            await opened.sign()

        opened.device.state.passphrase = ""
        opened.device.evict_sessions()
        await opened.sign(1)


@V1_AND_THP
async def test_a_passphrase_setting_that_is_off_on_the_device_is_named(flavour: Flavour) -> None:
    async with rig(flavour=flavour, passphrase_on_device=True) as opened:
        with pytest.raises(PreconditionError, match="Passphrase") as caught:
            await opened.sign()

        assert caught.value.reason is FailReason.DEVICE_REFUSES
        opened.device.state.passphrase = ""
        await opened.sign(1)


@V1_AND_THP
async def test_a_path_that_the_device_forbids_is_named(flavour: Flavour) -> None:
    forbidden = TrezorKey(account=EVM, path="m/44'/0'/0'")
    async with rig(flavour=flavour, keys=[forbidden]) as opened:
        with pytest.raises(PreconditionError, match="Forbidden key path") as caught:
            await opened.backend.check(EVM)

        assert caught.value.reason is FailReason.DEVICE_REFUSES
        opened.backend._keys[EVM] = KEYS[0]
        await opened.sign(1)


async def test_a_request_that_the_firmware_does_not_know_is_named() -> None:
    async with rig(flavour=MODEL_ONE) as opened:
        with pytest.raises(PreconditionError, match="Model One has no Solana") as caught:
            await opened.backend.sign_solana(SOLANA, solana_message())

        assert caught.value.reason is FailReason.DEVICE_FIRMWARE_TOO_OLD
        await opened.sign(1)


@V1_AND_THP
async def test_a_device_without_a_seed_is_named(flavour: Flavour) -> None:
    async with rig(flavour=flavour) as opened:
        opened.device.state.initialized = False
        with pytest.raises(PreconditionError, match="holds no seed") as caught:
            await opened.sign()

        assert caught.value.reason is FailReason.DEVICE_REFUSES
        opened.device.state.initialized = True
        await opened.sign(1)


@pytest.mark.filterwarnings("ignore:Firmware is out of date")
async def test_an_old_firmware_is_named() -> None:
    old = replace(MODEL_T, version=(2, 0, 5))
    async with rig(flavour=old) as opened:
        with pytest.raises(PreconditionError, match="update it in Trezor Suite") as caught:
            await opened.sign()

        assert caught.value.reason is FailReason.DEVICE_FIRMWARE_TOO_OLD
        opened.device.state.flavour = MODEL_T
        await opened.sign(1)


@V1_AND_THP
@pytest.mark.parametrize("fingerprint", [None, SEED.root_fingerprint()], ids=["address", "fingerprint"])
async def test_another_seed_after_a_reconnect_signs_nothing(
    fingerprint: bytes | None, flavour: Flavour
) -> None:
    async with rig(flavour=flavour, fingerprint=fingerprint) as opened:
        await opened.sign()
        mnemonic, opened.device.state.mnemonic = opened.device.state.mnemonic, OTHER_MNEMONIC
        opened.port.restart()
        with pytest.raises(BrokenError, match="another seed") as caught:
            await opened.sign(1)

        assert caught.value.reason is FailReason.BROKEN
        assert opened.device.received.count("EthereumSignTxEIP1559") == 1
        opened.device.state.mnemonic = mnemonic
        opened.device.evict_sessions()
        await opened.sign(2)


async def test_a_message_that_needs_no_signature_of_the_key_never_reaches_the_device() -> None:
    async with rig() as opened:
        for message in (solana_message(bytes(32)), b"", b"\x81" + bytes(99), solana_message() + b"\0"):
            with pytest.raises(InvalidRequestError):
                await opened.backend.sign_solana(SOLANA, message)

        assert "SolanaSignTx" not in opened.device.received
        assert len(await opened.backend.sign_solana(SOLANA, solana_message())) == 64


@V1_AND_THP
async def test_another_process_of_ours_is_kept_away_by_the_lock(flavour: Flavour) -> None:
    async with rig(flavour=flavour) as opened, rig(flavour=flavour) as other:
        await opened.sign()
        other.backend._owner._lock._path = opened.backend._owner._lock._path
        with pytest.raises(UnavailableError, match="another process") as caught:
            await other.sign()

        assert caught.value.reason is FailReason.DEVICE_BUSY
        await opened.backend.aclose()
        await other.sign(1)


@V1_AND_THP
async def test_the_person_and_the_watcher_are_told_every_screen(flavour: Flavour) -> None:
    async with rig(flavour=flavour) as opened:
        await opened.sign()
        await asyncio.sleep(0)

        assert [(each.phase, each.message) for each in opened.watched] == [
            (DevicePhase.WAITING_FOR_CONFIRMATION, "confirm on the device: screen 1 of 3"),
            (DevicePhase.WAITING_FOR_CONFIRMATION, "confirm on the device: screen 2 of 3"),
            (DevicePhase.WAITING_FOR_CONFIRMATION, "confirm on the device: screen 3 of 3"),
            (DevicePhase.CONFIRMED, "confirmed on the device"),
            (DevicePhase.ENDED, ""),
        ]


@pytest.mark.parametrize(
    ("raised", "reason"),
    [
        (exceptions.NotPairedError(), FailReason.DEVICE_NOT_PAIRED),
        (exceptions.DeviceLockedError(), FailReason.DEVICE_LOCKED),
        (exceptions.PinException(messages.FailureType.PinInvalid, "no"), FailReason.DEVICE_LOCKED),
        (exceptions.MissingCapability(), FailReason.DEVICE_REFUSES),
        (ThpError(ThpErrorCode.DEVICE_LOCKED), FailReason.DEVICE_LOCKED),
        (ThpError(ThpErrorCode.TRANSPORT_BUSY), FailReason.DEVICE_BUSY),
        (ThpError(ThpErrorCode.UNALLOCATED_CHANNEL), FailReason.DEVICE_GONE),
        (usb1.USBErrorNoDevice(), FailReason.DEVICE_GONE),
        (usb1.USBErrorBusy(), FailReason.DEVICE_BUSY),
        (OSError("Cannot open device"), FailReason.DEVICE_GONE),
        (
            exceptions.InvalidSessionError(b"", from_message=messages.PassphraseRequest()),
            FailReason.DEVICE_REFUSES,
        ),
    ],
    ids=lambda each: each.value if isinstance(each, FailReason) else repr(each),
)
async def test_what_opening_raises_has_its_own_error(raised: Exception, reason: FailReason) -> None:
    """Rows that no double can produce on its wire: those of USB itself, and a few of the library alone."""
    broken = [raised, raised]

    def find(port: UsbPort) -> Transport:
        if broken:
            raise broken.pop()
        return port.find()

    async with rig(find=find) as opened:
        with pytest.raises(SignerError) as caught:
            await opened.sign()
        broken.clear()

        assert isinstance(caught.value, PreconditionError | UnavailableError)
        assert caught.value.reason is reason
        await opened.sign(1)


@pytest.mark.parametrize(
    "raised", [OSError("Cannot open device", "udev"), PermissionError(), usb1.USBErrorAccess()]
)
def test_a_device_that_this_host_may_not_open_names_the_udev_rules(raised: Exception) -> None:
    assert "udev rules" in str(errors.translate(raised, Request(None, answer_ms=1_000)))


def test_a_stale_channel_is_made_anew_before_a_screen_and_unknown_after_it() -> None:
    stale = ThpError(ThpErrorCode.UNALLOCATED_CHANNEL)
    request = Request(None, answer_ms=1_000)

    assert errors.retryable(stale, request)
    request.ask(screens=2)
    assert errors.retryable(stale, request)
    request.on_button(messages.ButtonRequest(code=messages.ButtonRequestType.SignTx))
    assert not errors.retryable(stale, request)
    unknown = errors.translate(stale, request)
    assert isinstance(unknown, PreconditionError)
    assert unknown.reason is FailReason.DEVICE_OUTCOME_UNKNOWN
