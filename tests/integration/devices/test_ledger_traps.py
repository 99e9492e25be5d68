"""The traps that lose money, replayed: each first as the application does it, then with the backend in it."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path

import pytest

from signer.adapters.device.states import DeviceState
from signer.adapters.ledger_device.backend import LedgerBackend, LedgerPlace
from signer.domain.errors import PreconditionError, RejectedError, SignerError, UnavailableError
from signer.domain.reasons import FailReason
from signer.mock.devices.ledger.device import LedgerDevice
from signer.mock.devices.ledger.person import IGNORE, REJECT, always
from signer.mock.devices.ledger.server import LedgerServer
from signer.ports.device import DevicePhase, DeviceProgress
from tests.integration.devices.ledger_rig import (
    EVM,
    KEYS,
    PATIENT,
    SOLANA,
    SOON,
    Rig,
    blind_message,
    ledger_rig,
    only_the_double,
    transaction,
    until,
)
from tests.integration.devices.ledger_wire import PlainClient

pytestmark = only_the_double

WHICH, CONFIGURATION = bytes.fromhex("b001000000"), bytes.fromhex("e006000000")
ADDRESS = bytes.fromhex("e002000015058000002c8000003c800000000000000000000000")
TRANSFER = bytes.fromhex(
    "e004000048058000002c8000003c80000000000000000000000002f10107843b9aca008506fc23ac008303d0909468b3465833fb72a7"
    "0ecdf485e0e4c7bd8665fc4588016345785d8a000080c0"
)
MESSAGE = bytes.fromhex("e008000017058000002c8000003c800000000000000000000000000000026869")
SOLANA_SIGN = bytes.fromhex("e00601000a01028000002c800001f5")
QUIET_S = 0.15


@pytest.fixture(name="rig")
async def _rig(tmp_path: Path) -> AsyncIterator[Rig]:
    async with ledger_rig(tmp_path) as rig:
        yield rig


# The application alone


@pytest.mark.parametrize("apdu", [WHICH, CONFIGURATION])
def test_a_question_in_mid_review_is_answered_and_the_signature_never_sent(apdu: bytes) -> None:
    with LedgerServer(device := LedgerDevice()) as server, PlainClient(server.port) as client:
        client.send(TRANSFER)
        assert client.hears_within(QUIET_S) is None

        assert client.ask(apdu).endswith(b"\x90\x00")
        device.approve()

        assert device.signed == 1
        assert client.hears_within(QUIET_S) is None


@pytest.mark.parametrize("apdu", [ADDRESS, bytes.fromhex("e055000000"), bytes.fromhex("8002000000")])
def test_other_commands_in_mid_review_crash_the_application_at_the_next_press(apdu: bytes) -> None:
    with LedgerServer(device := LedgerDevice()) as server, PlainClient(server.port) as client:
        client.send(TRANSFER)
        client.ask(apdu)

        device.approve()

        assert (device.signed, device.app) == (0, None)
        with pytest.raises(ConnectionResetError):
            client.read()


def test_a_message_in_mid_review_ends_the_dialog() -> None:
    with LedgerServer(device := LedgerDevice()) as server, PlainClient(server.port) as client:
        client.send(TRANSFER)

        assert client.ask(MESSAGE).hex() == "6980"

        assert device.review is None


def test_an_answer_goes_unasked_to_whoever_is_connected_then() -> None:
    with LedgerServer(device := LedgerDevice()) as server:
        with PlainClient(server.port) as client:
            client.send(TRANSFER)
            assert client.hears_within(QUIET_S) is None
        _wait(lambda: server.connections == 0)
        with PlainClient(server.port) as second:
            _wait(lambda: server.connections == 1)
            device.approve()

            assert len(second.read()) == 67


def test_replies_go_to_the_newest_connection_only() -> None:
    with LedgerServer(LedgerDevice()) as server, PlainClient(server.port) as older:
        older.ask(WHICH)
        with PlainClient(server.port) as newer:
            newer.ask(WHICH)
            older.send(CONFIGURATION)

            assert newer.read().hex() == "020116009000"
            assert older.hears_within(QUIET_S) is None


def test_a_request_to_the_wrong_application_is_answered_with_its_configuration() -> None:
    with LedgerServer(device := LedgerDevice()) as server:
        with PlainClient(server.port) as client:
            assert client.ask(SOLANA_SIGN).hex() == "020116009000"
        device.open_app("Solana")
        with PlainClient(server.port) as client:
            assert client.ask(TRANSFER).hex() == "00000109009000"


def test_solana_is_silent_in_mid_review_and_still_signs() -> None:
    transfer = bytes.fromhex(
        "e0060100aa01048000002c800001f5800000008000000080010001030bf32b9f0db09672038fea36139b18f98a5f0149ef4ce0332e44"
        "b9a77e83c22d753da341c5e9e3c88c1340a9ab11d60d6529630164aec207af563eafbbdb0efd00000000000000000000000000000000"
        "00000000000000000000000000000000070707070707070707070707070707070707070707070707070707070707070701020200010c"
        "020000004e61bc000000000000"
    )
    with LedgerServer(device := LedgerDevice(app="Solana")) as server, PlainClient(server.port) as client:
        client.send(transfer)
        client.send(WHICH)
        assert client.hears_within(QUIET_S) is None

        device.approve()

        assert len(client.read()) == 66


# The backend in it


async def test_a_swallowed_signature_is_a_timeout_and_the_next_request_works(tmp_path: Path) -> None:
    async with ledger_rig(tmp_path, patience=SOON) as rig:
        rig.device.person = always(IGNORE)
        asking = asyncio.create_task(rig.sign())
        await rig.shown()
        with PlainClient(rig.server.port) as foreign:
            foreign.ask(WHICH)
            rig.device.approve()
            with pytest.raises(RejectedError, match="nobody confirmed"):
                await asking

        await rig.next_request_works()

        assert rig.device.signed == 2


async def test_a_signature_that_comes_on_the_next_connection_is_destroyed(tmp_path: Path) -> None:
    async with ledger_rig(tmp_path, patience=replace(PATIENT, listen_ms=500)) as rig:
        await rig.sign()
        await _lose_in_review(rig)
        asking = asyncio.create_task(rig.next_request_works())
        await until(lambda: rig.server.connections == 1)
        rig.device.approve()

        await asking

        assert "device.late_answer_destroyed" in rig.events.names
        assert rig.device.signed == 3


async def test_a_signature_that_nobody_heard_is_lost_for_good(rig: Rig) -> None:
    await _lose_in_review(rig)
    await until(lambda: rig.server.connections == 0)
    rig.device.approve()

    await rig.next_request_works()

    assert rig.device.signed == 2


async def test_a_dialog_of_an_earlier_life_is_ended_before_anything_is_asked(rig: Rig) -> None:
    await _lose_in_review(rig)

    await rig.next_request_works()

    assert "device.dialog_ended" in rig.events.names
    assert (rig.device.app, rig.device.signed) == ("Ethereum", 1)


async def test_a_restarted_signer_ends_the_dialog_of_the_one_before(rig: Rig) -> None:
    rig.device.person = always(IGNORE)
    with PlainClient(rig.server.port) as killed:
        killed.send(TRANSFER)
        await rig.shown()

        await rig.next_request_works()

    assert rig.device.signed == 1


async def test_solana_has_no_word_to_end_a_dialog_so_a_person_must(tmp_path: Path) -> None:
    async with ledger_rig(tmp_path, app="Solana", patience=SOON) as rig:
        rig.device.person = always(IGNORE)
        asking = asyncio.create_task(rig.backend.sign_solana(SOLANA, blind_message(1)))
        await rig.shown()
        with pytest.raises(RejectedError):
            await asking

        assert rig.state is DeviceState.DRAINING
        with pytest.raises(UnavailableError, match="end it there") as caught:
            await rig.backend.sign_solana(SOLANA, blind_message(2))
        rig.device.approve()
        await until(lambda: rig.state is DeviceState.IDLE)
        rig.device.person = always(REJECT)
        with pytest.raises(RejectedError, match="rejected by the person"):
            await rig.backend.sign_solana(SOLANA, blind_message(3))

        assert caught.value.reason is FailReason.DEVICE_BUSY
        assert "device.late_answer_destroyed" in rig.events.names


async def test_an_application_that_refuses_to_end_its_dialog_is_drained(tmp_path: Path) -> None:
    async with ledger_rig(tmp_path, patience=SOON) as rig:
        rig.device.person, rig.device.answers_busy = always(IGNORE), True
        with pytest.raises(RejectedError):
            await rig.sign()

        with pytest.raises(UnavailableError):
            await rig.sign()
        rig.device.approve()
        await until(lambda: rig.state is DeviceState.IDLE)

        await rig.next_request_works()


async def test_draining_ends_even_if_the_answer_never_comes(tmp_path: Path) -> None:
    async with ledger_rig(tmp_path, app="Solana", patience=replace(SOON, drain_ms=100)) as rig:
        rig.device.person = always(IGNORE)
        with pytest.raises(RejectedError):
            await rig.backend.sign_solana(SOLANA, blind_message(1))

        await until(lambda: rig.state is DeviceState.GONE)

        with pytest.raises(UnavailableError, match="does not answer"):
            await rig.backend.sign_solana(SOLANA, blind_message(2))
        rig.device.reject()
        rig.device.person = always(REJECT)
        with pytest.raises(RejectedError):
            await rig.backend.sign_solana(SOLANA, blind_message(3))


async def test_a_caller_who_gives_up_ends_the_dialog(rig: Rig) -> None:
    rig.device.person = always(IGNORE)
    asking = asyncio.create_task(rig.sign())
    await rig.shown()

    asking.cancel()
    await until(lambda: rig.device.review is None)

    assert (await asyncio.gather(asking, return_exceptions=True))[0].__class__ is asyncio.CancelledError
    await rig.next_request_works()


async def test_a_request_that_is_given_up_in_the_queue_never_reaches_the_person(rig: Rig) -> None:
    rig.device.person = always(IGNORE)
    first = asyncio.create_task(rig.sign())
    await rig.shown()
    second = asyncio.create_task(rig.backend.sign_evm(EVM, transaction(77)))
    await asyncio.sleep(0)

    second.cancel()
    rig.device.approve()
    await first

    await rig.next_request_works()
    assert len(rig.device.reviews) == 2


async def test_closing_ends_the_dialog_and_lets_others_have_the_device(rig: Rig, tmp_path: Path) -> None:
    rig.device.person = always(IGNORE)
    asking, queued = (asyncio.create_task(rig.backend.sign_evm(EVM, transaction(n))) for n in (1, 2))
    await rig.shown()

    await rig.backend.aclose()

    for task in (asking, queued):
        with pytest.raises(UnavailableError) as caught:
            await task
        assert caught.value.reason is FailReason.SHUTTING_DOWN
    assert rig.device.review is None
    place = LedgerPlace(name="two", where=f"tcp:{rig.server.address}", lock_file=tmp_path / "ledger.lock")
    other = LedgerBackend(KEYS, place, log=rig.events, patience=PATIENT)
    await other.check(EVM)
    await other.aclose()


async def test_the_watcher_hears_each_phase_in_order(rig: Rig) -> None:
    first: list[DeviceProgress] = []
    second: list[DeviceProgress] = []
    rig.device.person = always(IGNORE)
    one = asyncio.create_task(rig.backend.attended(first.append).sign_evm(EVM, transaction(1)))
    await rig.shown()
    two = asyncio.create_task(rig.backend.attended(second.append).sign_evm(EVM, transaction(2)))
    await asyncio.sleep(0)
    rig.device.approve()
    await one
    await rig.shown()
    rig.device.reject()
    with pytest.raises(RejectedError):
        await two

    waiting, confirmed, ended = (
        DevicePhase.WAITING_FOR_CONFIRMATION,
        DevicePhase.CONFIRMED,
        DevicePhase.ENDED,
    )
    assert [each.phase for each in first] == [waiting, confirmed]
    assert [each.phase for each in second] == [DevicePhase.QUEUED, waiting, ended]
    shown = next(each for each in rig.device.reviews[0].screens if each.startswith("Tx hash"))
    assert shown in first[0].message


async def test_a_waiting_person_holds_no_event_loop_up(rig: Rig) -> None:
    rig.device.person = always(IGNORE)
    waiting = [asyncio.create_task(rig.backend.sign_evm(EVM, transaction(n))) for n in range(10)]
    await rig.shown()
    turns = 0
    for _ in range(1_000):
        await asyncio.sleep(0)
        turns += 1

    assert turns == 1_000
    assert not any(task.done() for task in waiting)
    for task in waiting:
        task.cancel()
    await asyncio.gather(*waiting, return_exceptions=True)


def _wait(so: Callable[[], bool]) -> None:
    for _ in range(2_000):
        if so():
            return
        time.sleep(0.005)
    raise AssertionError


async def _lose_in_review(rig: Rig) -> None:
    rig.device.person = always(IGNORE)
    asking = asyncio.create_task(rig.backend.sign_evm(EVM, transaction(999)))
    await rig.shown()
    rig.device.drop()
    with pytest.raises(PreconditionError) as caught:
        await asking
    assert caught.value.reason is FailReason.DEVICE_OUTCOME_UNKNOWN
    assert isinstance(caught.value, SignerError)
