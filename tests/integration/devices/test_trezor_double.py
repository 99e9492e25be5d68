"""The double's hazards are those of the firmware: seen through the bare library, without our backend."""

import contextlib
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from trezorlib import exceptions, messages
from trezorlib.client import AppManifest
from trezorlib.protocol_v1 import SessionV1
from trezorlib.transport import Timeout, Transport, TransportException
from trezorlib.transport.udp import UdpTransport
from typing_extensions import override

from signer.adapters.dev_key.derivation import TEST_MNEMONIC
from signer.adapters.trezor_device import library
from signer.adapters.trezor_device.bounded_transport import BoundedTransport
from signer.mock.devices.trezor.device import TrezorDevice
from signer.mock.devices.trezor.flavour import MODEL_ONE, MODEL_T, Flavour
from signer.mock.devices.trezor.person import Decision, Person, Press, Screen, approving
from signer.mock.devices.trezor.udp import UdpServer
from signer.mock.devices.trezor.usb import UsbPort
from tests.integration.devices.trezor_rig import (
    APPROVE,
    IGNORE,
    KEYS,
    REJECT,
    SOLANA_STEPS,
    approve_late,
    scripted,
    solana_message,
)

PATH = KEYS[0].steps
WIRES = pytest.mark.parametrize("wire", ["usb", "udp"])


@WIRES
def test_a_late_press_makes_the_library_return_another_requests_signature(wire: str) -> None:
    with _plugged(wire, scripted(IGNORE)) as (device, transport):
        wallet = _wallet(transport)
        with pytest.raises(Timeout):
            _sign(wallet, nonce=1)
        approve_late(device)

        second = _sign(wallet, nonce=2)

    with _plugged("usb", approving) as (_, transport):
        assert second == _sign(_wallet(transport), nonce=1)


@WIRES
def test_a_new_client_throws_away_what_is_stale(wire: str) -> None:
    with _plugged(wire, scripted(IGNORE)) as (device, transport):
        with pytest.raises(Timeout):
            _sign(_wallet(transport), nonce=1)
        approve_late(device)

        second = _sign(_wallet(transport), nonce=2)

    with _plugged("usb", approving) as (_, transport):
        assert second == _sign(_wallet(transport), nonce=2)


@WIRES
@pytest.mark.parametrize("flavour", [MODEL_ONE, MODEL_T], ids=lambda each: each.name)
def test_a_cancel_of_the_host_ends_the_dialog(wire: str, flavour: Flavour) -> None:
    with _plugged(wire, scripted(IGNORE), flavour) as (device, transport), transport:
        wallet = _wallet(transport)
        with pytest.raises(Timeout):
            _sign(wallet, nonce=1)
        wallet.cancel()

        assert isinstance(wallet.read(), messages.Failure)
        assert not device.press(Press.APPROVE)


def test_model_one_swallows_a_new_request_and_core_begins_it() -> None:
    with _plugged("usb", scripted(IGNORE), MODEL_ONE) as (_, transport):
        wallet = _wallet(transport)
        with pytest.raises(Timeout):
            _sign(wallet, nonce=1)
        with pytest.raises(Timeout):
            library.ethereum_address(wallet, PATH, show_display=False)
    with _plugged("usb", scripted(IGNORE), MODEL_T) as (_, transport):
        wallet = _wallet(transport)
        with pytest.raises(Timeout):
            _sign(wallet, nonce=1)

        with transport:
            _drain(transport)
            assert library.ethereum_address(wallet, PATH, show_display=False).startswith("0x")


def test_model_one_shows_more_screens_and_names_none() -> None:
    seen: list[Screen] = []

    def person(screen: Screen) -> Decision:
        seen.append(screen)
        return APPROVE

    with _plugged("usb", person, MODEL_ONE) as (_, transport):
        wallet = _wallet(transport)
        counts = []
        for length in (0, 68, 260):
            seen.clear()
            _sign(wallet, nonce=1, data=bytes(length))
            counts.append(len(seen))

    assert counts == [4, 7, 10]
    assert {screen.name for screen in seen} == {None}


def test_the_tenth_session_is_the_last_that_is_kept() -> None:
    with _plugged("usb", approving) as (device, transport):
        first = _wallet(transport)
        for _ in range(10):
            _wallet(transport)

        with pytest.raises(exceptions.InvalidSessionError):
            _resume(first)
        assert len(device.state.sessions) == 10


def test_sixteen_wrong_pins_wipe_a_model_one() -> None:
    device = TrezorDevice(mnemonic=TEST_MNEMONIC, flavour=MODEL_ONE, pin="1234")
    app = AppManifest(app_name="airlock tests", pin_callback=lambda _: "4321")
    client = library.get_client(app, UsbPort(device, instant=True).find())
    for _ in range(16):
        with pytest.raises(exceptions.PinException):
            client.get_session("")

    with pytest.raises(exceptions.TrezorFailure, match="NotInitialized"):
        client.get_session("")


def test_solana_is_signed_for_a_key_that_is_no_signer() -> None:
    with _plugged("usb", approving) as (_, transport):
        message = solana_message(bytes(32))

        assert len(library.sign_solana(_wallet(transport), SOLANA_STEPS, message, None)) == 64


def test_a_killed_emulator_does_not_answer_and_its_port_is_closed() -> None:
    with _plugged("udp", scripted(Decision(press=Press.UNPLUG))) as (_, transport):
        wallet = _wallet(transport)
        with pytest.raises((Timeout, OSError)):
            _sign(wallet, nonce=1)
        with pytest.raises((TransportException, OSError)):
            _sign(wallet, nonce=1)


def test_a_press_may_take_its_time() -> None:
    with _plugged("udp", lambda _: Decision(press=Press.APPROVE, after_s=0.02)) as (_, transport):
        assert _sign(_wallet(transport), nonce=1)


def test_a_rejection_leaves_the_session_usable() -> None:
    with _plugged("udp", scripted(REJECT)) as (_, transport):
        wallet = _wallet(transport)
        with pytest.raises(exceptions.Cancelled):
            _sign(wallet, nonce=1)

        assert _sign(wallet, nonce=1)


def _sign(wallet: library.Session, *, nonce: int, data: bytes = b"") -> tuple[int, bytes, bytes]:
    return library.sign_eip1559(
        wallet, PATH, nonce=nonce, gas_limit=21_000, to="0x" + "21" * 20, value=1, data=data, chain_id=1,
        max_gas_fee=2, max_priority_fee=1,
    )  # fmt: skip


def _wallet(transport: Transport) -> library.Session:
    return library.get_client(AppManifest(app_name="airlock tests"), transport).get_session("")


def _resume(wallet: library.Session) -> None:
    assert isinstance(wallet, SessionV1)
    wallet.initialize()


def _drain(transport: Transport) -> None:
    with contextlib.suppress(Timeout):
        while True:
            transport.read_chunk(timeout=0.05)


@contextmanager
def _plugged(
    wire: str, person: Person, flavour: Flavour = MODEL_T
) -> Iterator[tuple[TrezorDevice, Transport]]:
    """A device and its transport; a read ends after a moment, where the library would wait for ever."""
    device = TrezorDevice(mnemonic=TEST_MNEMONIC, flavour=flavour, person=person)
    if wire == "usb":
        yield device, _Impatient(UsbPort(device, instant=True).find())
        return
    with UdpServer(device) as server:
        yield device, _Impatient(UdpTransport.find_by_path(f"udp:{server.address}"))


class _Impatient(BoundedTransport):
    def __init__(self, inner: Transport) -> None:
        super().__init__(inner, lambda: 0.3)

    @override
    def read_chunk(self, *, timeout: float | None = None) -> bytes:
        return super().read_chunk(timeout=1.0 if timeout is None else timeout)
