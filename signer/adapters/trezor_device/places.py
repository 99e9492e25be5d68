"""Finds the one device that the settings name. Never the first that answers, never what TREZOR_PATH says.

The library reads that variable only in `get_default_client`, which we do not call.
"""

import threading
from collections.abc import Callable

from trezorlib.transport import Transport, TransportException
from trezorlib.transport.udp import UdpTransport
from trezorlib.transport.webusb import WebUsbTransport

from signer.adapters.trezor_device.web_usb import WebUsb

_UDP_TRIES = 5
_UDP_PAUSE_S = 0.2
"""After each workflow an emulator is deaf for about 0.1 s, and its answer to a ping counts within 0.1 s."""


def finder(where: str) -> Callable[[], Transport]:
    """A search for `where`, made anew at each connection: a USB handle does not survive the device's restart.

    The search raises TransportException when the device is not there, or OSError and USBError as USB does.
    """
    if where.startswith("udp:"):
        return lambda: _udp(where)
    if where.startswith("serial:"):
        return lambda: _by_serial(where.removeprefix("serial:"))
    return lambda: WebUsb(WebUsbTransport.find_by_path(where, prefix_search=False).device)


def _udp(where: str) -> Transport:
    pause = threading.Event()
    for _ in range(_UDP_TRIES - 1):
        try:
            return UdpTransport.find_by_path(where, prefix_search=False)
        except TransportException:
            pause.wait(_UDP_PAUSE_S)
    return UdpTransport.find_by_path(where, prefix_search=False)


def _by_serial(serial: str) -> Transport:
    found = [each for each in WebUsbTransport.enumerate() if each.device.getSerialNumber() == serial]
    if len(found) != 1:
        raise TransportException(f"{len(found)} devices have the serial number {serial}: 1 is expected")
    return WebUsb(found[0].device)
