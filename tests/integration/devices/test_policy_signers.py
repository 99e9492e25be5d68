"""The guardian's key on a device: signed is what a person confirmed, and every other end has its name."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from signer.adapters.dev_key.derivation import TEST_MNEMONIC
from signer.adapters.device.lock import DeviceLock
from signer.adapters.device.states import DeviceState
from signer.adapters.ledger_device.backend import LedgerPlace
from signer.adapters.ledger_device.policy_signer import LedgerPolicySigner
from signer.adapters.ledger_device.session import Patience
from signer.adapters.trezor_device.device import TrezorDevice
from signer.adapters.trezor_device.policy_signer import TrezorPolicySigner
from signer.domain.accounts import ChainName
from signer.domain.errors import (
    BrokenError,
    ConfigurationError,
    PreconditionError,
    RejectedError,
    SignerError,
    UnavailableError,
)
from signer.domain.guardian import GuardianName
from signer.domain.policy_statement import PolicySignature, PolicyStatement
from signer.domain.reasons import DenyReason, FailReason
from signer.mock.devices.ledger.device import Fault, LedgerDevice
from signer.mock.devices.ledger.person import APPROVE, IGNORE, REJECT, Act, Press, always
from signer.mock.devices.ledger.server import LedgerServer
from signer.mock.devices.trezor.device import TrezorDevice as TrezorDouble
from signer.mock.devices.trezor.flavour import MODEL_ONE, MODEL_T, Flavour
from signer.mock.devices.trezor.person import Decision, Person, Screen, approving
from signer.mock.devices.trezor.person import Press as TrezorPress
from signer.mock.devices.trezor.usb import UsbPort
from signer.ports.guardian import PolicySigner
from signer.service.policy_signature import sign_policy
from tests.integration.devices import trezor_rig
from tests.integration.devices.ledger_rig import OTHER_MNEMONIC, PATIENT, SOLANA_PUBLIC, SOON, Events, until
from tests.testbed.accounts import dev_account

EVM_PATH, SOLANA_PATH = "m/44'/60'/0'/0/0", "m/44'/501'/0'/0'"
EVM, SOLANA = GuardianName(dev_account(0).address.lower()), GuardianName(f"solana:{SOLANA_PUBLIC}")
APPLICATIONS = {"Ethereum": (EVM_PATH, EVM), "Solana": (SOLANA_PATH, SOLANA)}
both_applications = pytest.mark.parametrize("app", ["Ethereum", "Solana"])


def _statement(serial: int = 7, chains: int = 2) -> PolicyStatement:
    names = tuple(ChainName(f"eip155:{number}") for number in range(1, chains + 1))
    return PolicyStatement(serial=serial, chains=names, policy_hash=f"{serial:064x}")


@asynccontextmanager
async def _ledger(
    folder: Path, app: str, patience: Patience = PATIENT
) -> AsyncIterator[tuple[LedgerDevice, LedgerPolicySigner]]:
    device, path = LedgerDevice(app=app, person=always(APPROVE)), APPLICATIONS[app][0]
    with LedgerServer(device) as server:
        place = LedgerPlace(name="desk", where=f"tcp:{server.address}", lock_file=folder / "desk.lock")
        signer = LedgerPolicySigner(place, path, log=Events(), patience=patience)
        try:
            yield device, signer
        finally:
            await signer.aclose()


@asynccontextmanager
async def _trezor(
    folder: Path,
    person: Person = approving,
    *,
    flavour: Flavour = MODEL_T,
    pin: str | None = None,
    approval_ms: int = 60_000,
) -> AsyncIterator[tuple[TrezorDouble, TrezorPolicySigner, UsbPort]]:
    device = TrezorDouble(mnemonic=TEST_MNEMONIC, flavour=flavour, person=person, pin=pin)
    port = UsbPort(device, instant=True)
    pinned = TrezorDevice(
        where=port.path, lock_file=folder / "safe.lock", approval_ms=approval_ms, answer_ms=5_000
    )
    signer = TrezorPolicySigner(pinned, EVM_PATH, find=port.find)
    try:
        yield device, signer, port
    finally:
        await signer.aclose()


async def _fails(signing: Awaitable[PolicySignature]) -> SignerError:
    with pytest.raises(SignerError) as caught:
        await signing
    return caught.value


async def _works(device: LedgerDevice, signer: PolicySigner) -> None:
    """A next request of its own is signed."""
    device.person = always(APPROVE)
    await sign_policy(signer, _statement(99))


@both_applications
@pytest.mark.parametrize("chains", [0, 1, 60])
async def test_a_ledger_signs_what_its_screen_shows(tmp_path: Path, app: str, chains: int) -> None:
    announced: list[GuardianName] = []
    async with _ledger(tmp_path, app) as (device, signer):
        statement = _statement(chains=chains)
        signed = await sign_policy(signer, statement, announce=announced.append)

        assert signed.signer == APPLICATIONS[app][1]
        assert announced == [signed.signer]
        assert [screen.text for screen in signer.screens(statement, signed.signer)] == [statement.text()]
        assert statement.text() in device.reviews[0].screens


@both_applications
async def test_another_key_than_the_guardians_is_refused_before_anything_is_shown(
    tmp_path: Path, app: str
) -> None:
    announced: list[GuardianName] = []
    async with _ledger(tmp_path, app) as (device, signer):
        stranger = GuardianName(dev_account(8).address.lower())
        error = await _fails(sign_policy(signer, _statement(), guardian=stranger, announce=announced.append))

        assert isinstance(error, ConfigurationError)
        assert f"only the guardian {stranger} is allowed" in str(error)
        assert (device.reviews, announced) == ([], [])


@both_applications
async def test_what_a_person_rejects_on_a_ledger_is_not_signed(tmp_path: Path, app: str) -> None:
    async with _ledger(tmp_path, app) as (device, signer):
        device.person = always(REJECT)
        error = await _fails(sign_policy(signer, _statement()))

        assert isinstance(error, RejectedError)
        assert error.reason is DenyReason.REJECTED_ON_DEVICE
        await _works(device, signer)


async def test_a_statement_that_nobody_confirms_is_taken_off_the_screen(tmp_path: Path) -> None:
    async with _ledger(tmp_path, "Ethereum", SOON) as (device, signer):
        device.person = always(IGNORE)
        error = await _fails(sign_policy(signer, _statement()))

        assert isinstance(error, RejectedError)
        assert error.reason is DenyReason.NOT_CONFIRMED_IN_TIME
        assert device.review is None
        assert not device.approve()


async def test_a_late_signature_of_a_solana_key_is_destroyed_and_not_taken_for_the_next(
    tmp_path: Path,
) -> None:
    async with _ledger(tmp_path, "Solana", SOON) as (device, signer):
        device.person = always(IGNORE)
        late = await _fails(sign_policy(signer, _statement(1)))
        busy = await _fails(sign_policy(signer, _statement(2)))
        device.approve()
        await until(lambda: signer.state is DeviceState.IDLE)

        assert isinstance(late, RejectedError)
        assert isinstance(busy, UnavailableError)
        assert busy.reason is FailReason.DEVICE_BUSY
        assert device.signed == 1
        await _works(device, signer)


@both_applications
async def test_a_ledger_that_is_lost_in_review_leaves_an_unknown_outcome_and_is_not_asked_again(
    tmp_path: Path, app: str
) -> None:
    async with _ledger(tmp_path, app) as (device, signer):
        device.person = always(Act(press=Press.UNPLUG))
        error = await _fails(sign_policy(signer, _statement()))

        assert isinstance(error, PreconditionError)
        assert error.reason is FailReason.DEVICE_OUTCOME_UNKNOWN
        assert len(device.reviews) == 1
        device.plug(app=app)
        await _works(device, signer)


def _lock(device: LedgerDevice) -> None:
    device.locked = True


def _dashboard(device: LedgerDevice) -> None:
    device.open_app(None)


def _other_application(device: LedgerDevice) -> None:
    device.open_app("Solana")


@pytest.mark.parametrize(
    ("does", "reason", "said"),
    [
        (_lock, FailReason.DEVICE_LOCKED, "unlock it with its PIN"),
        (_dashboard, FailReason.DEVICE_WRONG_APP, "open the application Ethereum"),
        (_other_application, FailReason.DEVICE_WRONG_APP, "Solana is open"),
    ],
)
async def test_a_ledger_that_is_not_ready_says_what_to_do(
    tmp_path: Path, does: Callable[[LedgerDevice], None], reason: FailReason, said: str
) -> None:
    async with _ledger(tmp_path, "Ethereum") as (device, signer):
        does(device)
        error = await _fails(sign_policy(signer, _statement()))

        assert isinstance(error, PreconditionError)
        assert error.reason is reason
        assert said in str(error)
        assert device.reviews == []


async def test_another_seed_between_the_question_and_the_signature_is_found(tmp_path: Path) -> None:
    async with _ledger(tmp_path, "Ethereum") as (device, signer):
        error = await _fails(
            sign_policy(signer, _statement(), announce=lambda _: device.seed(OTHER_MNEMONIC))
        )

        assert isinstance(error, BrokenError)
        assert f"not that of {EVM}" in str(error)
        assert device.reviews == []


@pytest.mark.parametrize(
    ("app", "answer"),
    [
        ("Ethereum", bytes(64) + b"\x90\x00"),
        ("Ethereum", b"\x1b" + bytes(64) + b"\x90\x00"),
        ("Ethereum", b"\x05" + b"\x01" * 64 + b"\x90\x00"),
        ("Ethereum", b"\x02\x01\x16\x00\x90\x00"),
        ("Ethereum", b"\x90\x00"),
        ("Solana", bytes(64) + b"\x90\x00"),
        ("Solana", b"\x01" * 65 + b"\x90\x00"),
        ("Solana", b"\x00\x00\x01\x09\x00\x90\x00"),
    ],
)
async def test_what_is_no_signature_of_the_statement_is_never_used(
    tmp_path: Path, app: str, answer: bytes
) -> None:
    ins = 0x08 if app == "Ethereum" else 0x07
    async with _ledger(tmp_path, app) as (device, signer):
        await signer.guardian()
        device.fail_next(Fault(answer=answer, ins=ins))
        error = await _fails(sign_policy(signer, _statement()))

        assert isinstance(error, BrokenError | PreconditionError)
        await _works(device, signer)


@both_applications
async def test_the_signature_of_an_older_policy_is_none_of_the_new_one(tmp_path: Path, app: str) -> None:
    ins = 0x08 if app == "Ethereum" else 0x07
    answers: list[bytes] = []
    async with _ledger(tmp_path, app) as (device, signer):
        send = device.on_answer

        def recording(answer: bytes) -> None:
            answers.append(answer)
            send(answer)

        device.on_answer = recording
        await sign_policy(signer, _statement(1))
        device.fail_next(Fault(answer=answers[-1], ins=ins))
        error = await _fails(sign_policy(signer, _statement(2)))

        assert isinstance(error, BrokenError)
        assert error.reason is FailReason.SIGNATURE_INVALID
        await _works(device, signer)


async def test_a_text_that_a_device_would_not_show_whole_is_not_sent(tmp_path: Path) -> None:
    for app in APPLICATIONS:
        async with _ledger(tmp_path, app) as (device, signer):
            error = await _fails(sign_policy(signer, _statement(chains=200)))

            assert isinstance(error, PreconditionError)
            assert error.reason is FailReason.DEVICE_REFUSES
            assert device.reviews == []
    async with _trezor(tmp_path) as (double, trezor, _):
        error = await _fails(sign_policy(trezor, _statement(chains=200)))

        assert isinstance(error, PreconditionError)
        assert double.shown == []


async def test_a_caller_who_leaves_takes_the_statement_off_the_screen(tmp_path: Path) -> None:
    async with _ledger(tmp_path, "Ethereum") as (device, signer):
        device.person = always(IGNORE)
        signing = asyncio.ensure_future(sign_policy(signer, _statement()))
        await until(lambda: device.review is not None)
        signing.cancel()
        await until(lambda: device.review is None)

        assert device.signed == 0
        await _works(device, signer)


async def test_a_device_of_another_process_is_left_alone(tmp_path: Path) -> None:
    lock = DeviceLock(tmp_path / "desk.lock")
    lock.take()
    async with _ledger(tmp_path, "Ethereum") as (device, signer):
        error = await _fails(sign_policy(signer, _statement()))
        lock.release()

        assert isinstance(error, UnavailableError)
        assert error.reason is FailReason.DEVICE_BUSY
        assert device.commands == []


@pytest.mark.parametrize("path", ["m/44'/0'/0'/0/0", "m/44'/600'/0'", "m/44'/60'", "44'/60'/0'/0/0", "m"])
def test_a_path_without_such_a_key_is_a_matter_of_configuration(tmp_path: Path, path: str) -> None:
    place = LedgerPlace(name="desk", where="tcp:127.0.0.1:1", lock_file=tmp_path / "desk.lock")

    with pytest.raises(ConfigurationError, match="allowed"):
        LedgerPolicySigner(place, path, log=Events())


@pytest.mark.parametrize("flavour", [MODEL_T, MODEL_ONE])
async def test_a_trezor_signs_what_its_screens_show(tmp_path: Path, flavour: Flavour) -> None:
    async with _trezor(tmp_path, flavour=flavour) as (device, signer, _):
        statement = _statement()
        signed = await sign_policy(signer, statement, guardian=EVM)
        told = [(screen.title, screen.text) for screen in signer.screens(statement, signed.signer)]

        assert signed.signer == EVM
        # Model One shows the text only, in pages.
        text = "".join(each for title, each in device.shown if title == "Message")
        assert text == statement.text()
        assert device.shown == told or not flavour.core


@pytest.mark.parametrize("screen", [1, 2])
async def test_what_a_person_rejects_on_a_trezor_is_not_signed(tmp_path: Path, screen: int) -> None:
    def reject(seen: Screen) -> Decision:
        return trezor_rig.REJECT if seen.number >= screen else trezor_rig.APPROVE

    async with _trezor(tmp_path, reject) as (device, signer, _):
        error = await _fails(sign_policy(signer, _statement()))

        assert isinstance(error, RejectedError)
        assert error.reason is DenyReason.REJECTED_ON_DEVICE
        # A no to the text leads back to the address, where a second no ends it.
        assert len(device.shown) == 2 * screen - 1
        device.person = approving
        await sign_policy(signer, _statement(2))


async def test_a_statement_that_nobody_confirms_is_taken_off_a_trezor(tmp_path: Path) -> None:
    async with _trezor(tmp_path, lambda _: trezor_rig.IGNORE, approval_ms=400) as (device, signer, _):
        error = await _fails(sign_policy(signer, _statement()))

        assert isinstance(error, RejectedError)
        assert error.reason is DenyReason.NOT_CONFIRMED_IN_TIME
        assert not device.press(TrezorPress.APPROVE)


async def test_a_trezor_that_is_lost_in_review_leaves_an_unknown_outcome(tmp_path: Path) -> None:
    async with _trezor(tmp_path, lambda _: trezor_rig.UNPLUG) as (device, signer, port):
        error = await _fails(sign_policy(signer, _statement()))
        port.plug()
        device.person = approving
        await sign_policy(signer, _statement(2))

        assert isinstance(error, PreconditionError)
        assert error.reason is FailReason.DEVICE_OUTCOME_UNKNOWN


async def test_another_key_of_a_trezor_is_refused_before_anything_is_shown(tmp_path: Path) -> None:
    async with _trezor(tmp_path) as (device, signer, _):
        error = await _fails(sign_policy(signer, _statement(), guardian=SOLANA))

        assert isinstance(error, ConfigurationError)
        assert device.shown == []


async def test_the_person_unlocks_a_trezor_within_the_request(tmp_path: Path) -> None:
    async with _trezor(tmp_path, pin="1234") as (_, signer, _):
        signed = await sign_policy(signer, _statement())

        assert signed.signer == EVM


async def test_a_trezor_signs_no_off_chain_message_and_says_so(tmp_path: Path) -> None:
    pinned = TrezorDevice(where="serial:1", lock_file=tmp_path / "safe.lock")

    with pytest.raises(PreconditionError, match="no off-chain messages") as caught:
        TrezorPolicySigner(pinned, SOLANA_PATH)

    assert caught.value.reason is FailReason.DEVICE_REFUSES
