"""A Ledger on USB, by its serial number or its path. Refuses to take the first that it finds.

Framing: 64-byte packets of channel 0101, tag 05, a sequence number, and in the first the length.

The library `hid` is libusb: its paths are sockets (`1-2:1.0`), and whoever opens one has the device alone.
`/dev/hidraw3` is known to its sister `hidraw` only, and others may open that at the same time. Both are
loaded when a Ledger is wanted: a signer without one has no USB in its process.
"""

from collections.abc import Sequence
from importlib import import_module
from typing import Protocol, cast

from signer.adapters.device.deadline import Deadline
from signer.adapters.device.plain import plain
from signer.adapters.ledger_device.transport import TransportGoneError

_VENDOR = 0x2C97
_OF_THE_KERNEL = b"/dev/"
_PACKET_BYTES = 64
_HEADER = b"\x01\x01\x05"
_HEADER_BYTES = 5
_LENGTH_BYTES = 2
_INTERFACE = 0
_USAGE_PAGE = 0xFFA0


class _Handle(Protocol):
    def open_path(self, path: bytes) -> None: ...

    def set_nonblocking(self, on: bool) -> object: ...  # noqa: FBT001 - the library's order

    def get_product_string(self) -> str | None: ...

    def read(self, max_length: int, timeout_ms: int) -> list[int]: ...

    def write(self, packet: bytes) -> int: ...

    def close(self) -> None: ...


class Described(Protocol):
    """What the system says of an interface."""

    def get(self, key: str, /) -> object:
        """Its path (bytes), serial_number, product_string and more."""
        ...


class _Library(Protocol):
    def device(self) -> _Handle: ...

    def enumerate(self, vendor: int, product: int) -> Sequence[Described]: ...


class HidTransport:
    """One open device."""

    def __init__(self, path: bytes) -> None:
        """Open it. Raises TransportGoneError."""
        from ledgerwallet.transport.hid import HidDevice  # noqa: PLC0415 - as the module says

        self._got = bytearray()
        self._sequence = 0
        self._handle = _library(path).device()
        try:
            self._handle.open_path(path)
            self._handle.set_nonblocking(True)
        except OSError as error:
            text = (
                f"{path.decode(errors='replace')}: {error}; another program has it, or udev gives no access"
            )
            raise TransportGoneError(text) from None
        self._framed = HidDevice(path)
        self._framed.device = _Strict(self._handle)
        self.model = self._product()

    def send(self, apdu: bytes) -> None:
        """Send one command."""
        try:
            self._framed.write(apdu)
        except (OSError, ValueError) as error:
            raise TransportGoneError(str(error)) from None

    def receive(self, ms: int) -> bytes | None:
        """Read one answer."""
        deadline = Deadline(ms)
        while (answer := self._whole()) is None:
            try:
                packet = bytes(self._handle.read(_PACKET_BYTES, timeout_ms=max(1, deadline.left_ms())))
            except (OSError, ValueError) as error:
                raise TransportGoneError(str(error)) from None
            if not packet:
                return None
            if packet[:_HEADER_BYTES] != _HEADER + self._sequence.to_bytes(2, "big"):
                raise TransportGoneError("a packet is missing or is none of a Ledger")
            self._sequence += 1
            self._got += packet[_HEADER_BYTES:]
        return answer

    def close(self) -> None:
        """Close the device."""
        self._handle.close()

    def _product(self) -> str:
        try:
            return plain(self._handle.get_product_string() or "")
        except (OSError, ValueError):
            return ""  # of no use but for people

    def _whole(self) -> bytes | None:
        if len(self._got) < _LENGTH_BYTES:
            return None
        end = _LENGTH_BYTES + int.from_bytes(self._got[:_LENGTH_BYTES], "big")
        if len(self._got) < end:
            return None
        answer = bytes(self._got[_LENGTH_BYTES:end])
        self._got.clear()
        self._sequence = 0
        return answer


class _Strict:
    """A handle whose failed writes are errors. The library answers -1, which nobody beneath us looks at."""

    def __init__(self, handle: _Handle) -> None:
        self._handle = handle

    def write(self, packet: bytes) -> int:
        """Write one packet. Raises OSError."""
        if (written := self._handle.write(packet)) < 0:
            raise OSError("the device does not take what is written to it")
        return written


def interfaces() -> Sequence[Described]:
    """The interfaces of every Ledger on which applications are asked, as the system has them."""
    return [
        each
        for each in _library(b"").enumerate(_VENDOR, 0)
        if each.get("interface_number") == _INTERFACE or each.get("usage_page") == _USAGE_PAGE
    ]


def path_of_serial(serial: str) -> bytes:
    """Path of the one device with this serial number. Raises TransportGoneError, also when there are two."""
    paths = [each.get("path") for each in interfaces() if each.get("serial_number") == serial]
    if len(paths) != 1 or not isinstance(path := paths[0], bytes):
        raise TransportGoneError(
            f"{len(paths)} Ledgers have the serial number {serial}; exactly one is allowed"
        )
    return path


def _library(path: bytes) -> _Library:
    return cast(_Library, import_module("hidraw" if path.startswith(_OF_THE_KERNEL) else "hid"))
