"""Every Trezor on USB. Reads what the system says of them; asks none of them anything."""

import re
from collections import Counter
from collections.abc import Sequence

import usb1
from trezorlib.transport.webusb import WebUsbTransport

from signer.adapters.device.on_usb import NO_ACCESS, OnUsb

_SERIAL = re.compile(r"[0-9A-Za-z]{1,64}")
_NO_LIBRARY = "the library libusb-1.0 is not installed: no Trezor can be found on USB"


def trezors_on_usb() -> Sequence[OnUsb]:
    """One for each device. Raises nothing: what keeps us from looking is a row with its problem."""
    try:
        found = list(WebUsbTransport.enumerate())
    except usb1.USBErrorAccess:
        return [OnUsb(kind="trezor", where="", problem=NO_ACCESS)]
    except usb1.USBError as error:
        return [OnUsb(kind="trezor", where="", problem=f"USB cannot be searched: {error}")]
    except OSError:
        return [OnUsb(kind="trezor", where="", problem=_NO_LIBRARY)]
    serials = [_serial(each) for each in found]
    counted = Counter(serials)
    return [_on_usb(each, serial, counted) for each, serial in zip(found, serials, strict=True)]


def _on_usb(found: WebUsbTransport, serial: str, counted: Counter[str]) -> OnUsb:
    socket = found.get_path()
    if not _SERIAL.fullmatch(serial):
        return OnUsb(kind="trezor", where=socket, problem=NO_ACCESS if not serial else "")
    if counted[serial] > 1:
        return OnUsb(kind="trezor", where=socket)
    return OnUsb(kind="trezor", where=f"serial:{serial}", also=(socket,), model="Trezor")


def _serial(found: WebUsbTransport) -> str:
    try:
        return str(found.device.getSerialNumber() or "")
    except usb1.USBError:
        return ""
