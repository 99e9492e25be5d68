"""A Trezor's thread always comes back from a device that takes nothing."""

import pytest
import usb1
from trezorlib.transport import Transport
from trezorlib.transport.webusb import WebUsbTransport

from signer.adapters.trezor_device.bounded_transport import BoundedTransport
from signer.adapters.trezor_device.places import finder
from signer.adapters.trezor_device.request import Request, TimeOverError

CHUNK = bytes(64)
MANY = 1_000


class _Handle:
    """A USB handle of a device that hangs: it takes nothing, or a part."""

    def __init__(self, taken: int) -> None:
        self.taken = taken
        self.writes = 0

    def claimInterface(self, _interface: int) -> None:  # noqa: N802 - the library's name
        return

    def interruptWrite(self, _endpoint: int, _chunk: bytes, timeout: int) -> int:  # noqa: N802 - as above
        assert timeout > 0  # zero would wait for ever
        self.writes += 1
        assert self.writes < MANY, "written without end"
        error = usb1.USBErrorTimeout()
        error.transferred = self.taken
        raise error


class _Device:
    def __init__(self, handle: _Handle) -> None:
        self._handle = handle

    def open(self) -> _Handle:
        return self._handle

    def getBusNumber(self) -> int:  # noqa: N802 - as above
        return 1

    def getPortNumberList(self) -> list[int]:  # noqa: N802 - as above
        return [2]


def _found(handle: _Handle, monkeypatch: pytest.MonkeyPatch) -> Transport:
    monkeypatch.setattr(WebUsbTransport, "enumerate", lambda: [WebUsbTransport(_Device(handle))])
    return finder("webusb:001:2")()


def test_a_device_that_takes_nothing_is_written_to_within_the_time_of_the_request(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    handle = _Handle(taken=0)
    bounded = BoundedTransport(_found(handle, monkeypatch), Request(None, answer_ms=0).slice_s)

    with bounded, pytest.raises(TimeOverError):
        bounded.write_chunk(CHUNK)
    assert handle.writes == 1


def test_a_device_that_takes_a_part_is_not_written_to_again(monkeypatch: pytest.MonkeyPatch) -> None:
    handle = _Handle(taken=5)
    bounded = BoundedTransport(_found(handle, monkeypatch), Request(None, answer_ms=60_000).slice_s)

    with bounded, pytest.raises(Exception, match="5 of 64"):
        bounded.write_chunk(CHUNK)
    assert handle.writes == 1
