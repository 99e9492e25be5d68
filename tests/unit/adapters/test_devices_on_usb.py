"""What the system says of devices on USB, as `where` in the settings: only what names one device."""

from collections.abc import Mapping

import hid
import pytest
import usb1
from trezorlib.transport.webusb import WebUsbTransport

from signer.adapters.ledger_device.on_usb import ledgers_on_usb
from signer.adapters.trezor_device.on_usb import trezors_on_usb


def _interface(path: bytes, serial: str, *, number: int = 0) -> Mapping[str, object]:
    return {
        "path": path,
        "serial_number": serial,
        "interface_number": number,
        "usage_page": 0,
        "product_string": "Nano X" if serial else "",
    }


def _with_ledgers(monkeypatch: pytest.MonkeyPatch, *listed: Mapping[str, object]) -> None:
    monkeypatch.setattr(hid, "enumerate", lambda _vendor, _product: list(listed))


def test_the_only_ledger_with_its_serial_number_is_named_by_it(monkeypatch: pytest.MonkeyPatch) -> None:
    _with_ledgers(monkeypatch, _interface(b"1-2:1.0", "0001"), _interface(b"1-2:1.1", "0001", number=1))

    (found,) = ledgers_on_usb()

    assert (found.where, found.also, found.model) == ("serial:0001", ("path:1-2:1.0",), "Ledger Nano X")


def test_two_ledgers_with_one_serial_number_are_named_by_their_paths(monkeypatch: pytest.MonkeyPatch) -> None:
    _with_ledgers(monkeypatch, _interface(b"1-2:1.0", "0001"), _interface(b"1-3:1.0", "0001"))

    assert [(each.where, each.also) for each in ledgers_on_usb()] == [
        ("path:1-2:1.0", ()),
        ("path:1-3:1.0", ()),
    ]


def test_a_ledger_that_may_not_be_opened_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    _with_ledgers(monkeypatch, _interface(b"1-2:1.0", ""))

    (found,) = ledgers_on_usb()

    assert found.where == "path:1-2:1.0"
    assert "udev" in found.problem


def test_a_device_writes_nothing_over_the_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """Anything can be plugged in that calls itself a Ledger."""
    _with_ledgers(
        monkeypatch, {**_interface(b"1-2:1.0", "\x1b[2J"), "product_string": "Nano\x1b[1A[/] serial:0001"}
    )

    (found,) = ledgers_on_usb()

    assert (found.where, found.model) == ("path:1-2:1.0", "Ledger Nano?[1A[/] serial:0001")


class _Device:
    """As libusb describes one."""

    def __init__(self, serial: str | usb1.USBError, socket: int) -> None:
        self._serial = serial
        self._socket = socket

    def getSerialNumber(self) -> str:  # noqa: N802 - the library's name
        if isinstance(self._serial, usb1.USBError):
            raise self._serial
        return self._serial

    def getBusNumber(self) -> int:  # noqa: N802 - the library's name
        return 1

    def getPortNumberList(self) -> list[int]:  # noqa: N802 - the library's name
        return [self._socket]


def _with_trezors(monkeypatch: pytest.MonkeyPatch, *devices: _Device) -> None:
    monkeypatch.setattr(WebUsbTransport, "enumerate", lambda: [WebUsbTransport(each) for each in devices])


def test_a_trezor_is_named_by_its_serial_number_and_by_its_socket(monkeypatch: pytest.MonkeyPatch) -> None:
    _with_trezors(monkeypatch, _Device("0123ABCD", 2))

    (found,) = trezors_on_usb()

    assert (found.where, found.also) == ("serial:0123ABCD", ("webusb:001:2",))


def test_trezors_without_a_number_of_their_own_are_named_by_their_sockets(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    _with_trezors(monkeypatch, _Device("1", 2), _Device("1", 3), _Device(usb1.USBErrorAccess(), 4))

    found = trezors_on_usb()

    assert [each.where for each in found] == ["webusb:001:2", "webusb:001:3", "webusb:001:4"]
    assert [bool(each.problem) for each in found] == [False, False, True]


@pytest.mark.parametrize(
    ("error", "problem"),
    [
        (usb1.USBErrorAccess(), "udev"),
        (usb1.USBErrorIO(), "cannot be searched"),
        (FileNotFoundError("libusb"), "libusb-1.0"),
    ],
)
def test_a_bus_that_cannot_be_searched_is_a_row_of_its_own(
    monkeypatch: pytest.MonkeyPatch, error: Exception, problem: str
) -> None:
    def fail() -> None:
        raise error

    monkeypatch.setattr(WebUsbTransport, "enumerate", fail)

    (found,) = trezors_on_usb()

    assert found.where == ""
    assert problem in found.problem
