"""Every row of the Ledger's error table: produced on the double, named, and the next request works."""

import asyncio
import fcntl
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from signer.adapters.device.states import DeviceState
from signer.adapters.ledger_device.ethereum import CALLDATA_MAX
from signer.adapters.ledger_device.status_words import WORDS
from signer.domain.errors import (
    BrokenError,
    ConfigurationError,
    PreconditionError,
    RejectedError,
    SignerError,
    UnavailableError,
)
from signer.domain.reasons import DenyReason, FailReason
from signer.mock.devices.ledger.device import Fault
from signer.mock.devices.ledger.person import APPROVE, IGNORE, REJECT, Act, Press, always
from tests.integration.devices.ledger_rig import (
    EVM,
    OTHER_MNEMONIC,
    SOLANA,
    SOON,
    Rig,
    blind_message,
    ledger_rig,
    only_the_double,
    transaction,
)
from tests.integration.devices.ledger_wire import PlainClient

pytestmark = only_the_double

SIGN = 0x04
WHICH = bytes.fromhex("b001000000")


@pytest.fixture(name="rig")
async def _rig(tmp_path: Path) -> AsyncIterator[Rig]:
    async with ledger_rig(tmp_path) as rig:
        yield rig


@pytest.fixture(name="hasty")
async def _hasty(tmp_path: Path) -> AsyncIterator[Rig]:
    async with ledger_rig(tmp_path, patience=SOON) as rig:
        yield rig


async def _fails(rig: Rig, kind: type[SignerError], reason: DenyReason | FailReason, words: str) -> None:
    with pytest.raises(kind, match=words) as caught:
        await rig.sign()
    assert isinstance(caught.value, (RejectedError, PreconditionError, UnavailableError, BrokenError))
    assert caught.value.reason is reason


async def test_a_rejection_is_a_denial(rig: Rig) -> None:
    rig.device.person = always(REJECT)

    await _fails(rig, RejectedError, DenyReason.REJECTED_ON_DEVICE, "rejected by the person")

    await rig.next_request_works()


async def test_nobody_confirms_in_time(hasty: Rig) -> None:
    hasty.device.person = always(IGNORE)

    await _fails(hasty, RejectedError, DenyReason.NOT_CONFIRMED_IN_TIME, "nobody confirmed within")

    assert hasty.device.review is None  # its dialog was ended
    assert hasty.state is DeviceState.IDLE


@pytest.mark.parametrize("goes_on_talking", [False, True])
async def test_a_locked_device(rig: Rig, goes_on_talking: bool) -> None:
    rig.device.locked, rig.device.unsolicited_after_lock = True, goes_on_talking

    await _fails(rig, PreconditionError, FailReason.DEVICE_LOCKED, "unlock it with its PIN")

    rig.device.locked = False
    await rig.next_request_works()


async def test_a_device_that_locks_between_two_requests(rig: Rig) -> None:
    await rig.sign()
    rig.device.locked = rig.device.unsolicited_after_lock = True

    await _fails(rig, PreconditionError, FailReason.DEVICE_LOCKED, "unlock it")

    rig.device.locked = False
    await rig.next_request_works()


@pytest.mark.parametrize(("app", "words"), [("Solana", "Solana is open"), (None, "the dashboard is shown")])
async def test_another_application_or_none(rig: Rig, app: str | None, words: str) -> None:
    rig.device.open_app(app)

    await _fails(
        rig, PreconditionError, FailReason.DEVICE_WRONG_APP, f"{words}: open the application Ethereum"
    )

    rig.device.open_app("Ethereum")
    await rig.next_request_works()


async def test_blind_signing_is_off_in_ethereum(rig: Rig) -> None:
    rig.device.blind(on=False)

    await _fails(rig, PreconditionError, FailReason.DEVICE_BLIND_SIGNING_OFF, "Settings, Blind signing")

    assert rig.device.reviews == []
    await rig.next_request_works()


async def test_a_plain_transfer_needs_no_blind_signing(rig: Rig) -> None:
    rig.device.blind(on=False)
    plain = transaction(1)

    await rig.backend.sign_evm(EVM, replace(plain, payload=replace(plain.payload, data=b"", value_wei=1)))

    assert rig.device.signed == 1


async def test_blind_signing_is_off_in_solana(tmp_path: Path) -> None:
    async with ledger_rig(tmp_path, app="Solana") as rig:
        rig.device.blind(on=False)

        with pytest.raises(PreconditionError, match="Settings, Allow blind signing") as caught:
            await rig.backend.sign_solana(SOLANA, blind_message())

        assert caught.value.reason is FailReason.DEVICE_BLIND_SIGNING_OFF
        rig.device.blind(on=True)
        await rig.backend.sign_solana(SOLANA, blind_message())


async def test_an_unplugged_device(rig: Rig) -> None:
    rig.device.unplug()

    await _fails(rig, UnavailableError, FailReason.DEVICE_GONE, "plug it in")

    rig.device.plug()
    await rig.next_request_works()


async def test_unplugged_and_back_between_two_requests_goes_unnoticed(rig: Rig) -> None:
    await rig.sign()
    rig.device.unplug()
    rig.device.plug()

    await rig.next_request_works()


@pytest.mark.parametrize("how", [Press.UNPLUG, "crash", "drop"])
async def test_lost_in_review_the_outcome_is_unknown_and_nobody_is_prompted_again(rig: Rig, how: str) -> None:
    lose = {Press.UNPLUG: rig.device.unplug, "crash": rig.device.crash, "drop": rig.device.drop}[how]
    rig.device.person = always(IGNORE)
    asking = asyncio.create_task(
        _fails(rig, PreconditionError, FailReason.DEVICE_OUTCOME_UNKNOWN, "new request")
    )
    await rig.shown()

    lose()
    await asking

    assert len(rig.device.reviews) == 1
    if how != "drop":
        rig.device.plug()
    await rig.next_request_works()


async def test_lost_while_it_is_sent_nothing_was_shown(rig: Rig) -> None:
    rig.device.fail_next(Fault(cut=True, ins=SIGN))
    long = replace(transaction(1), payload=replace(transaction().payload, data=b"\x01" * 600))

    with pytest.raises(UnavailableError) as caught:
        await rig.backend.sign_evm(EVM, long)

    assert caught.value.reason is FailReason.DEVICE_GONE
    await rig.next_request_works()


async def test_a_device_that_does_not_answer(hasty: Rig) -> None:
    hasty.device.fail_next(Fault(answer=None))

    await _fails(hasty, UnavailableError, FailReason.DEVICE_BUSY, "does not answer")

    await hasty.next_request_works()


async def test_another_process_has_the_device(rig: Rig) -> None:
    with rig.lock_file.open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)

        await _fails(rig, UnavailableError, FailReason.DEVICE_BUSY, "another process has the device")

    assert rig.device.commands == []
    await rig.next_request_works()


async def test_a_lock_file_that_cannot_be_made_is_named(rig: Rig) -> None:
    rig.lock_file.mkdir()

    with pytest.raises(ConfigurationError, match=str(rig.lock_file)):
        await rig.sign()


async def test_too_many_requests_for_one_person(rig: Rig) -> None:
    rig.device.person = always(IGNORE)
    waiting = [asyncio.create_task(rig.backend.sign_evm(EVM, transaction(nonce))) for nonce in range(64)]
    await rig.shown()

    await _fails(rig, UnavailableError, FailReason.DEVICE_BUSY, "answer those first")

    for task in waiting:
        task.cancel()
    await asyncio.gather(*waiting, return_exceptions=True)
    await rig.next_request_works()


async def test_an_old_application(rig: Rig) -> None:
    rig.device.apps["Ethereum"].version = "1.10.4"

    await _fails(
        rig, PreconditionError, FailReason.DEVICE_FIRMWARE_TOO_OLD, "1.10.4 is too old: update it to 1.22.0"
    )

    rig.device.apps["Ethereum"].version = "1.22.0"
    await rig.next_request_works()


async def test_another_seed_after_a_reconnect(rig: Rig) -> None:
    await rig.sign()
    rig.device.unplug()
    rig.device.seed(OTHER_MNEMONIC)
    rig.device.plug()

    await _fails(
        rig, BrokenError, FailReason.BROKEN, "holds the key of 0x.*connect the device that was pinned"
    )

    assert len(rig.device.reviews) == 1
    rig.device.seed("test test test test test test test test test test test junk")
    await rig.next_request_works()


async def test_calldata_longer_than_a_device_is_known_to_take(rig: Rig) -> None:
    payload = replace(transaction().payload, data=bytes(CALLDATA_MAX + 1))

    with pytest.raises(PreconditionError, match="6144 bytes are allowed") as caught:
        await rig.backend.sign_evm(EVM, replace(transaction(), payload=payload))

    assert caught.value.reason is FailReason.DEVICE_REFUSES
    longest = replace(transaction(), payload=replace(payload, data=bytes(CALLDATA_MAX)))
    await rig.backend.sign_evm(EVM, longest)


@pytest.mark.parametrize("length", [0, 2_601])
async def test_a_solana_message_that_no_device_takes(rig: Rig, length: int) -> None:
    with pytest.raises(PreconditionError, match="is known to take 1 to 2600"):
        await rig.backend.sign_solana(SOLANA, bytes(length))


_LOCKED = (PreconditionError, FailReason.DEVICE_LOCKED)
_NOT_OPEN = (PreconditionError, FailReason.DEVICE_WRONG_APP)
_REFUSES = (PreconditionError, FailReason.DEVICE_REFUSES)
_BUSY = (UnavailableError, FailReason.DEVICE_BUSY)
_ROWS: dict[int, tuple[type[SignerError], DenyReason | FailReason]] = {
    0x6985: (RejectedError, DenyReason.REJECTED_ON_DEVICE),
    0x5515: _LOCKED,
    0x6804: _LOCKED,
    0x6B0C: _LOCKED,
    0x6982: _LOCKED,
    0x6986: _LOCKED,
    0x6A80: _REFUSES,
    0x6808: (PreconditionError, FailReason.DEVICE_BLIND_SIGNING_OFF),
    0x6980: _BUSY,
    0x6A81: _NOT_OPEN,
    0x6A83: _NOT_OPEN,
    0x6501: _REFUSES,
    0x6A15: _REFUSES,
    0x6801: _REFUSES,
    0x6A87: (BrokenError, FailReason.BROKEN),
    0x6B00: _NOT_OPEN,
    0x6D00: _NOT_OPEN,
    0x6E00: _NOT_OPEN,
    0x6E01: _NOT_OPEN,
    0x650F: _NOT_OPEN,
    0x6807: _NOT_OPEN,
    0x6511: _NOT_OPEN,
    0x5501: _NOT_OPEN,
    0x6901: _BUSY,
    0x5502: _REFUSES,
    0x6601: _BUSY,
}


def test_every_word_has_its_row() -> None:
    assert set(_ROWS) == WORDS


@pytest.mark.parametrize("word", [*_ROWS, 0x6F42])
async def test_a_status_word_in_answer_to_a_request(rig: Rig, word: int) -> None:
    kind, reason = _ROWS.get(word, (BrokenError, FailReason.BROKEN))
    rig.device.fail_next(Fault(answer=word.to_bytes(2, "big"), ins=SIGN))

    await _fails(rig, kind, reason, "Ledger one: ")

    assert rig.device.signed == 0
    await rig.next_request_works()


@pytest.mark.parametrize("word", [0x6A80, 0x6A81, 0x6A83])
async def test_the_words_of_solana(tmp_path: Path, word: int) -> None:
    async with ledger_rig(tmp_path, app="Solana") as rig:
        rig.device.fail_next(Fault(answer=word.to_bytes(2, "big"), ins=0x06))

        with pytest.raises(PreconditionError, match="calls the request malformed") as caught:
            await rig.backend.sign_solana(SOLANA, blind_message())

        assert caught.value.reason is FailReason.DEVICE_REFUSES
        await rig.backend.sign_solana(SOLANA, blind_message())


@pytest.mark.parametrize(
    ("answer", "kind", "reason"),
    [
        ("020116009000", PreconditionError, FailReason.DEVICE_WRONG_APP),
        ("00000109009000", PreconditionError, FailReason.DEVICE_WRONG_APP),
        ("9000", BrokenError, FailReason.SIGNATURE_INVALID),
        ("00" * 65 + "9000", BrokenError, FailReason.SIGNATURE_INVALID),
        ("ff" * 65 + "9000", BrokenError, FailReason.SIGNATURE_INVALID),
        ("01" * 64 + "9000", BrokenError, FailReason.SIGNATURE_INVALID),
        ("01" * 66 + "9000", BrokenError, FailReason.SIGNATURE_INVALID),
        ("1b" + "01" * 64 + "9000", BrokenError, FailReason.SIGNATURE_INVALID),
    ],
)
async def test_9000_without_our_signature(
    rig: Rig, answer: str, kind: type[SignerError], reason: FailReason
) -> None:
    rig.device.fail_next(Fault(answer=bytes.fromhex(answer), ins=SIGN))

    await _fails(rig, kind, reason, "Ledger one: ")

    await rig.next_request_works()


async def test_the_echo_of_an_old_signature(rig: Rig) -> None:
    answers: list[bytes] = []
    send = rig.device.on_answer

    def keep(answer: bytes) -> None:
        answers.append(answer)
        send(answer)

    rig.device.on_answer = keep
    await rig.sign()
    rig.device.fail_next(Fault(answer=answers[-1], ins=SIGN))

    await _fails(rig, BrokenError, FailReason.SIGNATURE_INVALID, "signature that is not ours")

    assert len(answers[-1]) == 67
    assert "device.signature_refused" in rig.events.names
    await rig.next_request_works()


async def test_an_old_application_that_signs_early(rig: Rig) -> None:
    rig.device.fail_next(Fault(answer=b"\x01" * 65 + b"\x90\x00", ins=SIGN))
    long = replace(transaction(1), payload=replace(transaction().payload, data=b"\x01" * 600))

    with pytest.raises(PreconditionError, match="signed before it had the whole") as caught:
        await rig.backend.sign_evm(EVM, long)

    assert caught.value.reason is FailReason.DEVICE_FIRMWARE_TOO_OLD
    await rig.next_request_works()


@pytest.mark.parametrize("ins", [0x01, 0x02, 0x06])
@pytest.mark.parametrize(
    "answer", ["6985", "00" * 65 + "9000", "9000", "ff9000", "01ff9000", "01021b5b01319000", "6a87"]
)
async def test_a_stale_answer_to_a_question_is_destroyed_and_the_question_asked_again(
    rig: Rig, ins: int, answer: str
) -> None:
    rig.device.fail_next(Fault(answer=bytes.fromhex(answer), ins=ins))

    await rig.sign()

    assert rig.device.signed == 1


async def test_garbage_twice_is_an_error_by_name(rig: Rig) -> None:
    rig.device.fail_next(*[Fault(answer=b"garbage\x90\x00", ins=0x01)] * 2)

    await _fails(rig, BrokenError, FailReason.BROKEN, "no answer to what we asked")

    await rig.next_request_works()


async def test_an_answer_of_absurd_length_ends_the_connection_only(rig: Rig) -> None:
    rig.device.fail_next(*[Fault(answer=bytes(70_000), ins=0x01)] * 2)

    await _fails(rig, UnavailableError, FailReason.DEVICE_GONE, "none of a Ledger")

    await rig.next_request_works()


async def test_answers_that_come_byte_by_byte_and_late_are_whole(rig: Rig) -> None:
    rig.server.short_writes = True
    rig.server.delay_ms = 40

    await rig.next_request_works()


async def test_a_device_that_locks_in_mid_review(hasty: Rig) -> None:
    hasty.device.person = always(Act(press=Press.LOCK))

    await _fails(hasty, RejectedError, DenyReason.NOT_CONFIRMED_IN_TIME, "nobody confirmed")
    await _fails(hasty, PreconditionError, FailReason.DEVICE_LOCKED, "unlock it")

    hasty.device.locked = False
    hasty.device.person = always(APPROVE)
    await hasty.next_request_works()


async def test_a_foreign_program_takes_the_answers(hasty: Rig) -> None:
    await hasty.sign()
    with PlainClient(hasty.server.port) as foreign:
        foreign.ask(WHICH)

        await _fails(hasty, UnavailableError, FailReason.DEVICE_BUSY, "stop other programs")

        await hasty.next_request_works()
