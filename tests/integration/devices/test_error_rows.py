"""Rows of the error tables that the other files leave out: produced, named, and the next request works."""

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import cast

import pytest
from trezorlib import messages
from trezorlib.protobuf import MessageType

from signer.adapters.dev_key.derivation import TEST_MNEMONIC
from signer.adapters.ledger_device.backend import LedgerBackend, LedgerKey, LedgerPlace
from signer.adapters.ledger_device.status_words import WORDS
from signer.adapters.trezor_device.device import TrezorKey
from signer.decode.evm.envelope import signing_hash
from signer.domain.accounts import AccountId
from signer.domain.errors import BrokenError, PreconditionError, RejectedError, SignerError, UnavailableError
from signer.domain.reasons import DenyReason, FailReason
from signer.mock.devices.ledger.device import Fault
from signer.mock.devices.ledger.person import APPROVE, IGNORE, always
from signer.mock.devices.seed import Seed
from signer.mock.devices.trezor import device as double
from signer.mock.devices.trezor.flavour import MODEL_ONE, MODEL_T, SAFE_7, Flavour
from signer.mock.devices.trezor.person import Decision
from signer.mock.devices.trezor.state import DeviceState, RefusalError
from tests.integration.devices import ledger_rig, trezor_rig
from tests.integration.devices.ledger_rig import SOON, Rig, blind_message, only_the_double, transaction

pytestmark = only_the_double

_HARDENED = 2**31
_WHICH, _SIGN, _SIGN_SOLANA = 0x01, 0x04, 0x06
_V1_AND_THP = pytest.mark.parametrize("flavour", [MODEL_T, SAFE_7], ids=lambda each: each.name)
_EVERY = pytest.mark.parametrize("flavour", [MODEL_ONE, MODEL_T, SAFE_7], ids=lambda each: each.name)


def _reason(error: SignerError) -> DenyReason | FailReason:
    assert isinstance(error, RejectedError | PreconditionError | UnavailableError | BrokenError)
    return error.reason


# Ledger


@pytest.fixture(name="rig")
async def _rig(tmp_path: Path) -> AsyncIterator[Rig]:
    async with ledger_rig.ledger_rig(tmp_path) as rig:
        yield rig


@pytest.fixture(name="solana")
async def _solana(tmp_path: Path) -> AsyncIterator[Rig]:
    async with ledger_rig.ledger_rig(tmp_path, app="Solana") as rig:
        yield rig


async def _next_solana_request_works(rig: Rig) -> None:
    rig.device.person = always(APPROVE)
    signature = await rig.backend.sign_solana(ledger_rig.SOLANA, blind_message(9))
    assert len(signature) == 64


async def test_after_nobody_confirmed_the_next_request_works(tmp_path: Path) -> None:
    async with ledger_rig.ledger_rig(tmp_path, patience=SOON) as rig:
        rig.device.person = always(IGNORE)
        with pytest.raises(RejectedError) as caught:
            await rig.sign()

        assert caught.value.reason is DenyReason.NOT_CONFIRMED_IN_TIME
        rig.device.person = always(APPROVE)
        await rig.next_request_works()


_SILENTLY_ASKED_AGAIN = {0x6985, 0x6A87}


@pytest.mark.parametrize("word", sorted(WORDS - _SILENTLY_ASKED_AGAIN))
async def test_a_word_in_answer_to_the_first_question_is_named_and_nothing_is_shown(
    rig: Rig, word: int
) -> None:
    rig.device.fail_next(Fault(answer=word.to_bytes(2, "big"), ins=_WHICH))

    with pytest.raises(SignerError, match="Ledger one: ") as caught:
        await rig.sign()

    assert _reason(caught.value) not in {FailReason.DEVICE_OUTCOME_UNKNOWN, FailReason.BROKEN}
    assert rig.device.reviews == []
    await rig.next_request_works()


async def test_a_bad_length_with_the_echo_of_the_request_is_named(rig: Rig) -> None:
    rig.device.fail_next(Fault(answer=bytes.fromhex("e004000005aabbccddee6a87"), ins=_SIGN))

    with pytest.raises(BrokenError, match="wrong length") as caught:
        await rig.sign()

    assert caught.value.reason is FailReason.BROKEN
    await rig.next_request_works()


async def test_a_signature_of_another_key_over_our_very_digest_is_destroyed(rig: Rig) -> None:
    steps = [44 + _HARDENED, 60 + _HARDENED, _HARDENED, 0, 1]
    key = Seed(TEST_MNEMONIC).secp256k1(steps)
    raw = key.sign_recoverable(signing_hash(transaction(rig.nonce + 1)), hasher=None)
    rig.device.fail_next(Fault(answer=raw[64:] + raw[:64] + b"\x90\x00", ins=_SIGN))

    with pytest.raises(BrokenError, match="not ours") as caught:
        await rig.sign()

    assert caught.value.reason is FailReason.SIGNATURE_INVALID
    await rig.next_request_works()


async def test_a_path_that_is_not_that_of_the_pinned_address_is_another_key(tmp_path: Path, rig: Rig) -> None:
    place = LedgerPlace(name="Ledger one", where=f"tcp:{rig.server.address}", lock_file=tmp_path / "other")
    wrong = LedgerKey(account=ledger_rig.EVM, path="m/44'/60'/0'/0/1")
    backend = LedgerBackend([wrong], place, log=rig.events, patience=ledger_rig.PATIENT)
    with pytest.raises(BrokenError, match="correct path and address") as caught:
        await backend.sign_evm(ledger_rig.EVM, transaction(1))
    await backend.aclose()

    assert caught.value.reason is FailReason.BROKEN
    assert rig.device.reviews == []
    await rig.next_request_works()


@pytest.mark.parametrize(
    ("answer", "kind", "reason"),
    [
        ("020116009000", PreconditionError, FailReason.DEVICE_WRONG_APP),
        ("00000109009000", PreconditionError, FailReason.DEVICE_WRONG_APP),
        ("9000", BrokenError, FailReason.SIGNATURE_INVALID),
        ("01" * 63 + "9000", BrokenError, FailReason.SIGNATURE_INVALID),
        ("01" * 64 + "9000", BrokenError, FailReason.SIGNATURE_INVALID),
        ("01" * 65 + "9000", BrokenError, FailReason.SIGNATURE_INVALID),
    ],
    ids=["ethereum's configuration", "solana's configuration", "nothing", "63", "64", "65"],
)
async def test_9000_without_our_signature_from_solana(
    solana: Rig, answer: str, kind: type[SignerError], reason: FailReason
) -> None:
    solana.device.fail_next(Fault(answer=bytes.fromhex(answer), ins=_SIGN_SOLANA))

    with pytest.raises(kind) as caught:
        await solana.backend.sign_solana(ledger_rig.SOLANA, blind_message(1))

    assert _reason(caught.value) is reason
    await _next_solana_request_works(solana)


async def test_the_echo_of_an_old_signature_from_solana(solana: Rig) -> None:
    old = await solana.backend.sign_solana(ledger_rig.SOLANA, blind_message(1))
    solana.device.fail_next(Fault(answer=old + b"\x90\x00", ins=_SIGN_SOLANA))

    with pytest.raises(BrokenError, match="not ours") as caught:
        await solana.backend.sign_solana(ledger_rig.SOLANA, blind_message(2))

    assert caught.value.reason is FailReason.SIGNATURE_INVALID
    await _next_solana_request_works(solana)


async def test_solana_lost_in_review_is_an_unknown_outcome(solana: Rig) -> None:
    solana.device.person = always(IGNORE)
    asking = asyncio.create_task(solana.backend.sign_solana(ledger_rig.SOLANA, blind_message(1)))
    await solana.shown()
    solana.device.unplug()
    with pytest.raises(PreconditionError) as caught:
        await asking

    assert caught.value.reason is FailReason.DEVICE_OUTCOME_UNKNOWN
    solana.device.plug(app="Solana")
    assert len(solana.device.reviews) == 1
    await _next_solana_request_works(solana)


@pytest.mark.parametrize("length", [0, 2_601])
async def test_after_a_message_that_no_device_takes_the_next_request_works(solana: Rig, length: int) -> None:
    with pytest.raises(PreconditionError) as caught:
        await solana.backend.sign_solana(ledger_rig.SOLANA, bytes(length))

    assert caught.value.reason is FailReason.DEVICE_REFUSES
    assert solana.device.commands == []
    await _next_solana_request_works(solana)


# Trezor


def _answers_once(monkeypatch: pytest.MonkeyPatch, code: messages.FailureType, text: str) -> None:
    """The next transaction is refused by the firmware, before it shows anything."""
    kind = messages.EthereumSignTxEIP1559
    for table in (double._HANDLERS, double._OVER_THP):
        handlers = cast("dict[type[MessageType], Callable[[DeviceState, MessageType], object]]", table)
        signs, left = handlers[kind], [True]

        def refuse(
            state: DeviceState,
            message: MessageType,
            signs: Callable[[DeviceState, MessageType], object] = signs,
            left: list[bool] = left,
        ) -> object:
            if left:
                left.clear()
                raise RefusalError(code, text)
            return signs(state, message)

        monkeypatch.setitem(handlers, kind, refuse)


@_EVERY
@pytest.mark.parametrize(
    ("code", "text", "reason"),
    [
        (messages.FailureType.DataError, "Chain ID out of bounds", FailReason.DEVICE_REFUSES),
        (messages.FailureType.DataError, "Data length exceeds limit", FailReason.DEVICE_REFUSES),
        (messages.FailureType.ProcessError, "Safety check failed", FailReason.DEVICE_REFUSES),
        (messages.FailureType.FirmwareError, "Firmware error", FailReason.DEVICE_REFUSES),
        (messages.FailureType.NotInitialized, "Device not initialized", FailReason.DEVICE_REFUSES),
        (messages.FailureType.UnexpectedMessage, "Unknown message", FailReason.DEVICE_FIRMWARE_TOO_OLD),
        (messages.FailureType.Busy, "Busy", FailReason.DEVICE_BUSY),
        (messages.FailureType.InProgress, "In progress", FailReason.DEVICE_BUSY),
        (messages.FailureType.ActionCancelled, "Cancelled", FailReason.DEVICE_BUSY),
        (messages.FailureType.PinInvalid, "PIN invalid", FailReason.DEVICE_LOCKED),
    ],
    ids=lambda each: each if type(each) is str else "",
)
async def test_what_the_firmware_says_instead_of_a_screen_is_named(
    monkeypatch: pytest.MonkeyPatch,
    flavour: Flavour,
    code: messages.FailureType,
    text: str,
    reason: FailReason,
) -> None:
    """ActionCancelled before a screen is no person's no: another program ended the dialog."""
    async with trezor_rig.rig(flavour=flavour) as opened:
        _answers_once(monkeypatch, code, text)
        with pytest.raises((PreconditionError, UnavailableError)) as caught:
            await opened.sign()

        assert _reason(caught.value) is reason
        if reason is FailReason.DEVICE_REFUSES and "initialized" not in text:
            assert text in str(caught.value)
        assert opened.device.shown == []
        await opened.sign(1)


@_V1_AND_THP
async def test_a_wrong_path_is_another_key_and_nothing_is_shown(flavour: Flavour) -> None:
    wrong = TrezorKey(account=trezor_rig.EVM, path="m/44'/60'/0'/0/1")
    other = AccountId(f"eip155:1:{trezor_rig.EVM.rpartition(':')[2]}")
    keys = [wrong, TrezorKey(account=other, path=trezor_rig.EVM_PATH)]
    async with trezor_rig.rig(flavour=flavour, keys=keys) as opened:
        with pytest.raises(BrokenError, match="or the path is wrong") as caught:
            await opened.sign()

        assert caught.value.reason is FailReason.BROKEN
        assert opened.device.shown == []
        await opened.backend.check(other)


@_V1_AND_THP
@pytest.mark.parametrize(
    ("act", "kind", "reason"),
    [
        (trezor_rig.REJECT, RejectedError, DenyReason.REJECTED_ON_DEVICE),
        (trezor_rig.IGNORE, RejectedError, DenyReason.NOT_CONFIRMED_IN_TIME),
        (trezor_rig.UNPLUG, PreconditionError, FailReason.DEVICE_OUTCOME_UNKNOWN),
    ],
    ids=["rejected", "nobody", "unplugged"],
)
async def test_what_ends_a_review_of_solana(
    flavour: Flavour, act: Decision, kind: type[SignerError], reason: DenyReason | FailReason
) -> None:
    opening = trezor_rig.rig(
        flavour=flavour, person=trezor_rig.at_screen(1, act), approval_ms=1_000, answer_ms=1_000
    )
    async with opening as opened:
        with pytest.raises(kind) as caught:
            await opened.backend.sign_solana(trezor_rig.SOLANA, trezor_rig.solana_message())

        assert _reason(caught.value) is reason
        opened.port.plug()
        signature = await opened.backend.sign_solana(trezor_rig.SOLANA, trezor_rig.solana_message())
        assert len(signature) == 64


@_V1_AND_THP
async def test_calldata_far_beyond_a_swap_is_signed_whole(flavour: Flavour) -> None:
    async with trezor_rig.rig(flavour=flavour) as opened:
        await opened.sign(data=bytes(range(256)) * 200)


# Both


async def test_a_device_that_talks_garbage_is_no_matter_to_the_other(tmp_path: Path) -> None:
    async with ledger_rig.ledger_rig(tmp_path) as ledger, trezor_rig.rig() as trezor:
        ledger.device.fail_next(*[Fault(answer=b"garbage\x90\x00", ins=_WHICH)] * 2)

        broken, signed = await asyncio.gather(ledger.sign(), trezor.sign(), return_exceptions=True)

        assert isinstance(broken, BrokenError)
        assert not isinstance(signed, BaseException)
        await ledger.next_request_works()
