"""The double on TCP: 4 bytes of length and a command in; length without status word, data and word out.

Refuses every address but the loopback. Answers go to the newest connection, as those of the real emulator do.
"""

import contextlib
import socket
import threading
import time
from types import TracebackType
from typing import Self

from signer.mock.devices.ledger.device import LedgerDevice

_HOST = "127.0.0.1"
_LENGTH_BYTES = 4
_MAX_APDU_BYTES = 5 + 255
_WORD_BYTES = 2


class LedgerServer:
    """Serves one device; a context manager. `port` 0 takes a free one, and it is kept over `unplug`."""

    def __init__(self, device: LedgerDevice, *, port: int = 0) -> None:
        self.device = device
        self.port = port
        self.short_writes = False
        """Send one byte at a time."""
        self.delay_ms = 0
        """Wait before each answer."""
        self._listener: socket.socket | None = None
        self._connections: list[socket.socket] = []
        self._lock = threading.RLock()

    def __enter__(self) -> Self:
        """Begin to listen."""
        self.device.on_answer = self._answer
        self.device.on_cut = self._cut
        self.device.on_plug = self._plug
        self.device.on_unplug = self._unplug
        self._plug()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End every connection."""
        self._unplug()

    @property
    def address(self) -> str:
        """`host:port`."""
        return f"{_HOST}:{self.port}"

    @property
    def connections(self) -> int:
        """Connections that are open."""
        with self._lock:
            return len(self._connections)

    def _plug(self) -> None:
        with self._lock:
            self._unplug()
            # Reused at once (SO_REUSEADDR): a device that is plugged in again has the same address.
            self._listener = socket.create_server((_HOST, self.port))
            self.port = self._listener.getsockname()[1]
            threading.Thread(target=self._accept, args=(self._listener,), daemon=True).start()

    def _unplug(self) -> None:
        with self._lock:
            self._cut()
            if self._listener is not None:
                _close(self._listener)
                self._listener = None

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with self._lock:
                if self._listener is not listener:
                    _close(connection)
                    return
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                self._connections.append(connection)
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        try:
            while True:
                length = int.from_bytes(_exactly(connection, _LENGTH_BYTES), "big")
                if length > _MAX_APDU_BYTES:
                    return
                self.device.receive(_exactly(connection, length))
        except OSError:
            return
        finally:
            with self._lock, contextlib.suppress(ValueError):
                self._connections.remove(connection)
            _close(connection)

    def _answer(self, answer: bytes) -> None:
        with self._lock:
            newest = self._connections[-1] if self._connections else None
        if newest is None:
            return  # approved while nobody was connected: lost
        if self.delay_ms:
            time.sleep(self.delay_ms / 1000)  # noqa: TID251 - a slow device in real time
        framed = (len(answer) - _WORD_BYTES).to_bytes(_LENGTH_BYTES, "big") + answer
        step = 1 if self.short_writes else len(framed)
        with contextlib.suppress(OSError):
            for at in range(0, len(framed), step):
                newest.sendall(framed[at : at + step])

    def _cut(self) -> None:
        with self._lock:
            for connection in self._connections:
                _close(connection)
            self._connections.clear()


def _exactly(connection: socket.socket, count: int) -> bytes:
    got = b""
    while len(got) < count:
        part = connection.recv(count - len(got))
        if not part:
            raise ConnectionResetError
        got += part
    return got


def _close(opened: socket.socket) -> None:
    with contextlib.suppress(OSError):
        opened.shutdown(socket.SHUT_RDWR)
    opened.close()
