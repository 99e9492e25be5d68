"""The double on a USB port of this process: the library's Transport, with WebUSB's errors. No other wire.

One host at a time claims it. Replies wait in the port until somebody reads them, also across opens: that is
how a stale signature survives.
"""

import queue
from typing import ClassVar

import usb1
from trezorlib.transport import DeviceIsBusy, Timeout, Transport, TransportException
from typing_extensions import override

from signer.mock.devices.trezor.device import TrezorDevice
from signer.mock.devices.trezor.wire import CHUNK_BYTES
from signer.mock.devices.trezor.wires import wire_of

_POLL_S = 0.1
"""One wait for a packet, as over UDP; whoever has a shorter one waits as long."""


class UsbPort:
    """A port with a device in it. `instant`: a wait for a reply that is not there yet ends at once."""

    def __init__(self, device: TrezorDevice, *, path: str = "webusb:001:1", instant: bool = False) -> None:
        self.device = device
        self.path = path
        self.instant = instant
        self.plugged = True
        self.forbidden = False
        self.generation = 0
        self.claimed_by: object | None = None
        self.replies: queue.SimpleQueue[bytes] = queue.SimpleQueue()
        self.wire = wire_of(device, self._queue)
        device.on_unplug = self.unplug

    def find(self) -> "UsbTransport":
        """Enumerate: a transport for the device that is in now. Raises as `find_by_path` does."""
        if not self.plugged:
            raise TransportException(f"webusb device not found: {self.path}")
        return UsbTransport(self)

    def unplug(self) -> None:
        """Pull the cable: the device loses power, and what was on the way is lost."""
        self.plugged = False
        self.generation += 1
        self.claimed_by = None
        self.replies = queue.SimpleQueue()
        self.wire.reset()
        self.device.restart()

    def plug(self) -> None:
        """Put it back in. Transports of before stay dead."""
        self.plugged = True

    def restart(self) -> None:
        """Lose power for a moment."""
        self.unplug()
        self.plug()

    def _queue(self, chunk: bytes) -> None:
        self.replies.put(chunk)


class UsbTransport(Transport):
    """One program's handle of the device."""

    PATH_PREFIX = "webusb"
    CHUNK_SIZE: ClassVar[int | None] = CHUNK_BYTES
    ENABLED = True

    def __init__(self, port: UsbPort) -> None:
        self._port = port
        self._generation = port.generation
        self._is_open = False

    @override
    def get_path(self) -> str:
        return self._port.path

    @override
    def is_open(self) -> bool:
        return self._is_open

    @override
    def _open(self) -> None:
        port = self._port
        if port.generation != self._generation or not port.plugged:
            raise usb1.USBErrorNoDevice
        if port.forbidden:
            raise usb1.USBErrorAccess
        if port.claimed_by is not None:
            raise DeviceIsBusy(port.path)
        port.claimed_by = self
        self._is_open = True

    @override
    def _close(self) -> None:
        # The replies stay: closing a handle does not empty the device.
        if self._port.claimed_by is self:
            self._port.claimed_by = None
        self._is_open = False

    @override
    def write_chunk(self, chunk: bytes, /) -> None:
        self._require_device("write")
        self._port.wire.receive(chunk)

    @override
    def read_chunk(self, *, timeout: float | None = None) -> bytes:
        waited = 0.0
        while True:
            self._require_device("read")
            try:
                return self._port.replies.get(block=not self._port.instant, timeout=_POLL_S)
            except queue.Empty:
                waited += _POLL_S
            if timeout is not None and (self._port.instant or waited >= timeout):
                raise Timeout(f"Timeout reading WebUSB packet ({timeout}s)")

    def _require_device(self, what: str) -> None:
        if self._port.generation != self._generation or not self._port.plugged:
            raise TransportException(f"USB {what} failed: LIBUSB_ERROR_NO_DEVICE [-4]")
