"""Bytes to and from a Ledger, with a deadline on every read. Refuses TCP to anything but this machine.

A wait that ends keeps what has come of an answer: nothing is torn, nothing is read twice. ledgerwallet opens
the device; its reads have no deadline and may be short, so they are made here.
"""

import ipaddress
import socket
from typing import Protocol, cast

from typing_extensions import override

from signer.adapters.device.deadline import Deadline
from signer.domain.errors import ConfigurationError

_LENGTH_BYTES = 4
_WORD_BYTES = 2
_LONGEST_ANSWER = 64 * 1024
_CONNECT_S = 2


class TransportGoneError(Exception):
    """The connection is lost, or cannot be made. What was sent may or may not have arrived."""


class Transport(Protocol):
    """An open connection to one device. Used by one thread.

    `model` is what USB calls the device, empty for an emulator.
    """

    model: str

    def send(self, apdu: bytes) -> None:
        """Send one command. Raises TransportGoneError."""
        ...

    def receive(self, ms: int) -> bytes | None:
        """Return the next answer with its status word, or None when none is whole within `ms`.

        Raises TransportGoneError, also for what is no answer at all.
        """
        ...

    def close(self) -> None:
        """End the connection. Raises nothing."""
        ...


class TcpTransport:
    """An emulator or the double on `127.0.0.1:PORT`."""

    def __init__(self, address: str) -> None:
        """Connect. Raises TransportGoneError; ConfigurationError for another address than the loopback's."""
        from ledgerwallet.transport.tcp import TcpDevice  # noqa: PLC0415 - loads libusb: with a Ledger only

        require_loopback(address)
        self.model = ""
        device = TcpDevice(address)
        self._socket = cast(socket.socket, device.socket)
        self._got = bytearray()
        try:
            self._socket.settimeout(_CONNECT_S)
            device.open()
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        except OSError as error:
            self._socket.close()
            raise TransportGoneError(f"{address}: {error}") from None

    def send(self, apdu: bytes) -> None:
        """Send one command."""
        try:
            self._socket.settimeout(_CONNECT_S)
            self._socket.sendall(len(apdu).to_bytes(_LENGTH_BYTES, "big") + apdu)
        except OSError as error:
            raise TransportGoneError(str(error)) from None

    def receive(self, ms: int) -> bytes | None:
        """Read one answer."""
        deadline = Deadline(ms)
        while (wanted := self._missing()) > 0:
            try:
                # Zero would mean "do not block" and differ from a wait that ended.
                self._socket.settimeout(max(1, deadline.left_ms()) / 1000)
                piece = self._socket.recv(wanted)
            except TimeoutError:
                return None
            except OSError as error:
                raise TransportGoneError(str(error)) from None
            if not piece:
                raise TransportGoneError("the device ended the connection")
            self._got += piece
        answer = bytes(self._got[_LENGTH_BYTES:])
        self._got.clear()
        return answer

    def close(self) -> None:
        """End the connection."""
        self._socket.close()

    @override
    def __repr__(self) -> str:
        return "TcpTransport"

    def _missing(self) -> int:
        if len(self._got) < _LENGTH_BYTES:
            return _LENGTH_BYTES - len(self._got)
        length = int.from_bytes(self._got[:_LENGTH_BYTES], "big") + _WORD_BYTES
        if length > _LONGEST_ANSWER:
            raise TransportGoneError(f"an answer of {length} bytes is none of a Ledger")
        return _LENGTH_BYTES + length - len(self._got)


def require_loopback(address: str) -> None:
    """Raise ConfigurationError unless this is `IPv4:port` of this machine. Names are not looked up."""
    host, separator, port = address.rpartition(":")
    try:
        inside = ipaddress.IPv4Address(host).is_loopback and 0 < int(port) < 2**16
    except ValueError:
        inside = False
    if not separator or not inside:
        raise ConfigurationError(
            f"{address[:80]!r}: a Ledger over TCP has no protection on its way; allowed is 127.0.0.1:PORT"
        )
