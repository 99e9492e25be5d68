"""A Trezor on USB whose writes end. The library's never do before a device that hangs; refuses that.

Nothing else of the library's transport is changed.
"""

import usb1
from trezorlib.transport import Timeout, TransportException
from trezorlib.transport.webusb import USB_COMM_TIMEOUT_MS, WebUsbTransport
from typing_extensions import override


class WebUsb(WebUsbTransport):
    """One device that the library has found."""

    @override
    def write_chunk(self, chunk: bytes, /) -> None:
        """Write once. Raises Timeout when the device took nothing of it, so that it may be written again."""
        if self.handle is None:
            raise TransportException("USB write failed: not open")
        try:
            written = self.handle.interruptWrite(self.endpoint, chunk, USB_COMM_TIMEOUT_MS)
        except usb1.USBErrorTimeout as error:
            written = error.transferred
        except usb1.USBError as error:
            raise TransportException(f"USB write failed: {error}") from error
        if written == 0:
            raise Timeout(f"USB write: nothing taken within {USB_COMM_TIMEOUT_MS} ms")
        if written != len(chunk):
            raise TransportException(f"USB write: {written} of {len(chunk)} bytes were taken")
