from pathlib import Path

import pytest
from trezorlib.transport import TransportException
from trezorlib.transport.webusb import WebUsbTransport

from signer.adapters.trezor_device.device import HARDENED, TrezorDevice, TrezorKey
from signer.adapters.trezor_device.places import finder
from signer.domain.accounts import AccountId
from signer.domain.errors import ConfigurationError

EVM = AccountId("eip155:1:0x" + "21" * 20)


@pytest.mark.parametrize(
    "where", ["webusb:001:2", "webusb:003:1:4:2", "serial:0123ABCdef", "udp:127.0.0.1:21324"]
)
def test_a_device_is_named_by_socket_serial_or_loopback_port(where: str) -> None:
    assert _device(where, allow_udp=True).where == where


@pytest.mark.parametrize(
    "where",
    [
        "", "webusb", "webusb:", "webusb:1:2", "usb", "hid:1", "ble:x", "bridge:1", "serial:", "serial:a b",
        "udp", "udp:", "udp:127.0.0.1", "udp:10.0.0.1:21324", "udp:127.0.0.1:0", "udp:127.0.0.1:70000",
        "udp:localhost:21324", "udp:0.0.0.0:21324", "udp:1.2.3.4.5:1", "udp:999.0.0.1:5", "tcp:127.0.0.1:1",
        "webusb:001:2\n",
    ],
)  # fmt: skip
def test_anything_else_is_refused_and_says_what_is_allowed(where: str) -> None:
    with pytest.raises(ConfigurationError, match="allowed"):
        _device(where, allow_udp=True)


def test_an_emulator_is_refused_unless_the_settings_mean_it() -> None:
    with pytest.raises(ConfigurationError, match="allow_udp"):
        _device("udp:127.0.0.1:21324")


def test_a_fingerprint_has_four_bytes() -> None:
    with pytest.raises(ConfigurationError, match="4 are allowed"):
        TrezorDevice(where="webusb:001:2", lock_file=Path("x"), fingerprint=b"abc")


@pytest.mark.parametrize(
    ("path", "steps"),
    [
        ("m/44'/60'/0'/0/0", [44 + HARDENED, 60 + HARDENED, HARDENED, 0, 0]),
        ("m/44h/501h/7h/0h", [44 + HARDENED, 501 + HARDENED, 7 + HARDENED, HARDENED]),
    ],
)
def test_a_path_is_read(path: str, steps: list[int]) -> None:
    assert TrezorKey(account=EVM, path=path).steps == steps


@pytest.mark.parametrize(
    "path", ["", "m", "m/", "44'/60'", "m/x", "m/-1", "m/01", "m/2147483648", "m//1", "m" + "/1" * 9]
)
def test_a_path_that_is_none_is_named(path: str) -> None:
    with pytest.raises(ConfigurationError, match="derivation path"):
        _ = TrezorKey(account=EVM, path=path).steps


@pytest.mark.parametrize("count", [0, 2])
def test_a_serial_number_names_one_device_or_none(count: int, monkeypatch: pytest.MonkeyPatch) -> None:
    class Handle:
        def getSerialNumber(self) -> str:  # noqa: N802 - as libusb calls it
            return "ABC"

    class Found:
        device = Handle()

    monkeypatch.setattr(WebUsbTransport, "enumerate", lambda: [Found()] * count)

    with pytest.raises(TransportException, match=f"{count} devices have the serial number ABC"):
        finder("serial:ABC")()


def test_a_serial_number_finds_its_device_among_others(monkeypatch: pytest.MonkeyPatch) -> None:
    class Handle:
        def __init__(self, serial: str) -> None:
            self.serial = serial

        def getSerialNumber(self) -> str:  # noqa: N802 - as libusb calls it
            return self.serial

    class Found:
        def __init__(self, serial: str) -> None:
            self.device = Handle(serial)

    mine = Found("MINE")
    monkeypatch.setattr(WebUsbTransport, "enumerate", lambda: [Found("OTHER"), mine])

    found = finder("serial:MINE")()
    assert isinstance(found, WebUsbTransport)
    assert found.device is mine.device


def _device(where: str, *, allow_udp: bool = False) -> TrezorDevice:
    return TrezorDevice(where=where, lock_file=Path("x"), allow_udp=allow_udp)
