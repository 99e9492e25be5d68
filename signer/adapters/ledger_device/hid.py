"""A Ledger on USB, by its serial number or its path. Refuses to take the first that it finds.

Framing: 64-byte packets of channel 0101, tag 05, a sequence number, and in the first the length.
"""

from typing import Protocol, cast

import hid
from ledgerwallet.transport.hid import LEDGER_VENDOR_ID, HidDevice

from signer.adapters.device.deadline import Deadline
from signer.adapters.ledger_device.transport import TransportGoneError

_PACKET_BYTES = 64
_HEADER = b"\x01\x01\x05"
_HEADER_BYTES = 5
_LENGTH_BYTES = 2
_INTERFACE = 0
_USAGE_PAGE = 0xFFA0


class _Handle(Protocol):
    def get_product_string(self) -> str | None: ...

    def read(self, max_length: int, timeout_ms: int) -> list[int]: ...


class HidTransport:
    """One open device."""

    def __init__(self, path: bytes) -> None:
        """Open it. Raises TransportGoneError."""
        self._device = HidDevice(path)
        self._got = bytearray()
        self._sequence = 0
        try:
            self._device.open()
        except OSError as error:
            text = (
                f"{path.decode(errors='replace')}: {error}; another program has it, or udev gives no access"
            )
            raise TransportGoneError(text) from None
        self._handle = cast(_Handle, self._device.device)
        self.model = self._product()

    def send(self, apdu: bytes) -> None:
        """Send one command."""
        try:
            self._device.write(apdu)
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
        self._device.close()

    def _product(self) -> str:
        try:
            return self._handle.get_product_string() or ""
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


class _Described(Protocol):
    def get(self, key: str, /) -> object: ...


class _Found(_Described, Protocol):
    def __getitem__(self, key: str, /) -> object: ...


def is_applications_interface(found: _Described) -> bool:
    """Whether this entry of the system's list is the interface on which applications are asked."""
    return found.get("interface_number") == _INTERFACE or found.get("usage_page") == _USAGE_PAGE


def path_of_serial(serial: str) -> bytes:
    """Path of the one device with this serial number. Raises TransportGoneError, also when there are two."""
    listed = cast("list[_Found]", hid.enumerate(LEDGER_VENDOR_ID, 0))
    paths = [
        each["path"]
        for each in listed
        if each.get("serial_number") == serial and is_applications_interface(each)
    ]
    if len(paths) != 1 or not isinstance(path := paths[0], bytes):
        raise TransportGoneError(
            f"{len(paths)} Ledgers have the serial number {serial}; exactly one is allowed"
        )
    return path
