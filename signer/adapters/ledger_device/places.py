"""Where a Ledger is: `tcp:127.0.0.1:9999`, `serial:0001` or `path:/dev/hidraw3`. There is no default."""

from collections.abc import Callable

from signer.adapters.ledger_device.hid import HidTransport, path_of_serial
from signer.adapters.ledger_device.transport import TcpTransport, Transport, require_loopback
from signer.domain.errors import ConfigurationError


def opener(place: str) -> Callable[[], Transport]:
    """Return what opens the device, anew at each call. Raises ConfigurationError for what is no place.

    Opening raises TransportGoneError.
    """
    kind, _, rest = place.partition(":")
    if kind == "tcp":
        require_loopback(rest)
        return lambda: TcpTransport(rest)
    if kind == "serial" and rest:
        return lambda: HidTransport(path_of_serial(rest))
    if kind == "path" and rest:
        return lambda: HidTransport(rest.encode())
    raise ConfigurationError(
        f"{place[:80]!r} is no place of a Ledger; allowed are serial:NUMBER, path:DEVICE, tcp:127.0.0.1:PORT"
    )
