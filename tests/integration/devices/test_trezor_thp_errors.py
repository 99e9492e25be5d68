"""Rows of the error table that only a Safe 7 has: who may talk to it, whose channel is still there."""

import asyncio
from collections.abc import Sequence
from pathlib import Path

import pytest
from trezorlib import messages
from trezorlib.client import AppManifest, get_client
from trezorlib.thp.channel import Channel
from trezorlib.thp.client import TrezorClientThp

from signer.adapters.trezor_device.credentials import HostCredential, read_credentials, store_credential
from signer.domain.errors import PreconditionError, RejectedError, UnavailableError
from signer.domain.reasons import DenyReason, FailReason
from signer.mock.devices.trezor.flavour import SAFE_7
from signer.mock.devices.trezor.person import Decision, Screen
from signer.mock.devices.trezor.thp.wire import REMEMBERED_CHANNELS, ThpWire
from tests.integration.devices.trezor_rig import (
    APPROVE,
    EVM,
    IGNORE,
    KEYS,
    REJECT,
    Rig,
    at_screen,
    credential_for,
    rig,
    scripted,
)

CONNECT = "allow this computer to connect: confirm on the device"
SIGNING = "EthereumSignTxEIP1559"


@pytest.fixture(autouse=True)
def _short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the library waits before it says something again."""
    monkeypatch.setattr(Channel, "BUSY_BACKOFF_TIME", 0.001)


async def test_a_stranger_is_told_to_pair() -> None:
    async with rig(flavour=SAFE_7, paired=False) as opened:
        for asking in (opened.backend.check(EVM), opened.sign()):
            with pytest.raises(PreconditionError, match="devices pair") as caught:
                await asking
            assert caught.value.reason is FailReason.DEVICE_NOT_PAIRED

        assert opened.device.received == []
        _pair_again(opened)
        await opened.sign(1)


async def test_a_device_that_forgot_its_hosts_is_to_be_paired_again() -> None:
    async with rig(flavour=SAFE_7) as opened:
        await opened.sign()
        _wire(opened).identity.forget_hosts()
        opened.port.restart()
        with pytest.raises(PreconditionError) as caught:
            await opened.sign(1)

        assert caught.value.reason is FailReason.DEVICE_NOT_PAIRED
        _pair_again(opened)
        await opened.sign(2)


async def test_a_channel_that_another_program_of_this_host_took_over_is_made_anew_without_a_word() -> None:
    async with rig(flavour=SAFE_7) as opened:
        await opened.sign()
        _client(opened, *_stored(opened)).get_session("")

        await opened.sign(1)
        assert opened.device.received.count(SIGNING) == 2


async def test_a_channel_that_other_hosts_pushed_out_is_made_anew_without_a_word() -> None:
    async with rig(flavour=SAFE_7) as opened:
        await opened.sign()
        for _ in range(REMEMBERED_CHANNELS):
            _client(opened, credential_for(opened.port.wire)).get_session("")

        await opened.sign(1)


async def test_another_hosts_dialog_is_ended_and_ours_is_shown() -> None:
    async with rig(flavour=SAFE_7) as opened:
        await opened.backend.check(EVM)
        other = _client(opened, credential_for(opened.port.wire)).get_session("")
        with other:
            other.write(messages.EthereumGetAddress(address_n=KEYS[0].steps, show_display=True))
        while not opened.port.replies.empty():
            opened.port.replies.get()
        assert opened.device.busy

        await opened.sign()


async def test_a_restarted_device_lets_this_computer_in_without_a_word_if_it_was_told_to() -> None:
    async with rig(flavour=SAFE_7) as opened:
        await opened.sign()
        opened.port.restart()

        await opened.sign(1)
        await opened.backend.check(EVM)
        assert CONNECT not in {each.message for each in opened.watched}


async def test_a_restarted_device_asks_once_whether_this_computer_may_connect() -> None:
    async with rig(flavour=SAFE_7, autoconnect=False) as opened:
        for nonce in range(4):
            if nonce == 2:
                opened.port.restart()
            await opened.sign(nonce)

        assert [each.message for each in opened.watched].count(CONNECT) == 2


async def test_a_check_of_a_restarted_device_shows_nothing() -> None:
    async with rig(flavour=SAFE_7, autoconnect=False) as opened:
        with pytest.raises(PreconditionError, match="may connect") as caught:
            await opened.backend.check(EVM)

        assert caught.value.reason is FailReason.DEVICE_LOCKED
        assert "ThpEndRequest" not in opened.device.received
        await opened.sign()
        await opened.backend.check(EVM)


async def test_a_person_may_keep_this_computer_out() -> None:
    async with rig(flavour=SAFE_7, autoconnect=False, person=scripted(REJECT)) as opened:
        with pytest.raises(RejectedError, match="did not let this computer connect") as caught:
            await opened.sign()

        assert caught.value.reason is DenyReason.REJECTED_ON_DEVICE
        assert opened.device.received.count("ThpEndRequest") == 1
        await opened.sign(1)


async def test_nobody_is_there_to_let_this_computer_in() -> None:
    opening = rig(flavour=SAFE_7, autoconnect=False, person=scripted(IGNORE), approval_ms=800, answer_ms=800)
    async with opening as opened:
        with pytest.raises(RejectedError, match="in time") as caught:
            await opened.sign()

        assert caught.value.reason is DenyReason.NOT_CONFIRMED_IN_TIME
        assert not opened.device.busy
        assert SIGNING not in opened.device.received
        await opened.sign(1)


async def test_a_locked_device_that_is_new_to_us_asks_for_its_pin_within_the_request() -> None:
    async with rig(flavour=SAFE_7, pin="1") as opened:
        with pytest.raises(PreconditionError) as caught:
            await opened.backend.check(EVM)
        assert caught.value.reason is FailReason.DEVICE_LOCKED
        assert not opened.device.busy

        await opened.sign()
        assert opened.watched[0].message == "enter the PIN on the device"


async def test_a_device_that_is_busy_with_another_host_says_so() -> None:
    async with rig(flavour=SAFE_7) as opened:
        await opened.sign()
        _wire(opened).occupied = True
        with pytest.raises(UnavailableError, match="close Trezor Suite") as caught:
            await opened.sign(1)

        assert caught.value.reason is FailReason.DEVICE_BUSY
        _wire(opened).occupied = False
        await opened.sign(2)


async def test_another_host_comes_in_between_while_the_person_reads() -> None:
    wires: list[ThpWire] = []

    def person(_: Screen) -> Decision:
        for wire in wires:
            wire.occupied = True
        return APPROVE

    async with rig(flavour=SAFE_7, person=person) as opened:
        wires.append(_wire(opened))
        with pytest.raises(PreconditionError) as caught:
            await opened.sign()

        assert caught.value.reason is FailReason.DEVICE_OUTCOME_UNKNOWN
        wires.pop().occupied = False
        await opened.sign(1)
        assert opened.device.received.count(SIGNING) == 2


async def test_the_device_restarts_while_the_person_reads() -> None:
    opening = rig(
        flavour=SAFE_7, person=at_screen(1, IGNORE), approval_ms=1_000, answer_ms=1_000, instant=False
    )
    async with opening as opened:
        signing = asyncio.create_task(opened.sign())
        await opened.until_shown()
        opened.device.restart()
        with pytest.raises(PreconditionError) as caught:
            await signing

        assert caught.value.reason is FailReason.DEVICE_OUTCOME_UNKNOWN
        await opened.sign(1)
        assert opened.device.received.count(SIGNING) == 2


async def test_a_channel_whose_ciphers_disagree_is_made_anew_without_a_word() -> None:
    async with rig(flavour=SAFE_7) as opened:
        await opened.sign()
        client = opened.backend._owner._session._client
        assert isinstance(client, TrezorClientThp)
        client.channel.noise.noise_protocol.cipher_state_encrypt.set_nonce(77)

        await opened.sign(1)
        assert opened.device.received.count(SIGNING) == 2


def _wire(opened: Rig) -> ThpWire:
    assert isinstance(opened.port.wire, ThpWire)
    return opened.port.wire


def _stored(opened: Rig) -> Sequence[HostCredential]:
    return read_credentials(_file(opened))


def _pair_again(opened: Rig) -> None:
    store_credential(_file(opened), credential_for(opened.port.wire))


def _file(opened: Rig) -> Path:
    file = opened.backend._device.credentials_file
    assert file is not None
    return file


def _client(opened: Rig, *credentials: HostCredential) -> TrezorClientThp:
    """Another program, which leaves the port to us when it has said what it wants."""
    app = AppManifest(app_name="somebody else", credentials=credentials)
    client = get_client(app, opened.port.find())
    assert isinstance(client, TrezorClientThp)
    return client
