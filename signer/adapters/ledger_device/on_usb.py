"""Every Ledger on USB. Looks at what the system says of them; opens none and talks to none."""

from collections import Counter
from collections.abc import Sequence

from signer.adapters.device.on_usb import NO_ACCESS, OnUsb
from signer.adapters.device.plain import plain
from signer.adapters.ledger_device.hid import Described, interfaces


def ledgers_on_usb() -> Sequence[OnUsb]:
    """One for each device. Raises nothing."""
    found = interfaces()
    serials = Counter(_serial(each) for each in found)
    return [_on_usb(each, serials) for each in found]


def _on_usb(found: Described, serials: Counter[str]) -> OnUsb:
    path = found.get("path")
    plugged = f"path:{path.decode(errors='replace') if isinstance(path, bytes) else path}"
    serial = _serial(found)
    if not serial:  # the system reads no text of a device that this user may not open
        return OnUsb(kind="ledger", where=plugged, problem=NO_ACCESS)
    # Many Ledgers have the same serial number, so it is good only where it is the only one.
    only = serials[serial] == 1 and serial.isprintable()
    where, also = (f"serial:{serial}", (plugged,)) if only else (plugged, ())
    model = plain(f"Ledger {found.get('product_string') or ''}".strip())
    return OnUsb(kind="ledger", where=where, also=also, model=model)


def _serial(found: Described) -> str:
    return str(found.get("serial_number") or "")
