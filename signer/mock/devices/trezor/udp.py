"""The double as a UDP server, as the emulator of the firmware is one. Loopback only.

A reply whose host has closed its socket is kept until a host speaks again; Cancel and Initialize drop it.
"""

import socket
import threading
from contextlib import suppress
from typing import Self

from signer.mock.devices.trezor.device import TrezorDevice
from signer.mock.devices.trezor.wire import CHUNK_BYTES, forgets_what_was_kept
from signer.mock.devices.trezor.wires import wire_of

HOST = "127.0.0.1"
_PING, _PONG = b"PINGPING", b"PONGPONG"
_POLL_S = 0.1


class UdpServer:
    """Serves one device from a thread of its own. Unplugged, its port is closed; it comes back as it was."""

    def __init__(self, device: TrezorDevice, *, port: int = 0) -> None:
        self._device = device
        self._socket: socket.socket | None = None
        self._thread: threading.Thread | None = None
        self._peer: tuple[str, int] | None = None
        self._kept: list[bytes] = []
        self.port = port
        self.wire = wire_of(device, self._send_chunk)
        device.on_unplug = self.unplug

    def __enter__(self) -> Self:
        self.plug()
        return self

    def __exit__(self, *_: object) -> None:
        self.unplug()
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join()

    @property
    def address(self) -> str:
        """`host:port`, as `udp:` takes it."""
        return f"{HOST}:{self.port}"

    def plug(self) -> None:
        """Begin to answer."""
        opened = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        opened.settimeout(_POLL_S)
        opened.bind((HOST, self.port))
        self.port = opened.getsockname()[1]
        self._socket = opened
        self._thread = threading.Thread(target=self._serve, args=(opened,), name="mock-trezor", daemon=True)
        self._thread.start()

    def unplug(self) -> None:
        """As an emulator that is killed: from now on nothing answers."""
        closed, self._socket = self._socket, None
        if closed is not None:
            closed.close()
        self._kept.clear()
        self.wire.reset()
        self._device.restart()

    def _serve(self, served: socket.socket) -> None:
        while self._socket is served:
            try:
                chunk, peer = served.recvfrom(CHUNK_BYTES)
            except TimeoutError:
                continue
            except OSError:
                return  # closed under us: unplugged
            if chunk == _PING:
                served.sendto(_PONG, peer)
                continue
            self._peer = peer
            self._hear(chunk)

    def _hear(self, chunk: bytes) -> None:
        kept, self._kept = self._kept, []
        if not forgets_what_was_kept(chunk):
            for stale in kept:
                self._send_chunk(stale)
        self.wire.receive(chunk)

    def _send_chunk(self, chunk: bytes) -> None:
        served, peer = self._socket, self._peer
        if served is None or peer is None:
            return
        # What follows a kept chunk is kept, too: half a message would be read together with the next one.
        if self._kept or _is_gone(peer):
            self._kept.append(chunk)
            return
        with suppress(OSError):  # unplugged meanwhile
            served.sendto(chunk, peer)


def _is_gone(peer: tuple[str, int]) -> bool:
    """Whether nobody has the other end any more.

    The kernel's own word for it, an ICMP error after the datagram is lost, may come later than the next one.
    """
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.bind(peer)
        except OSError:
            return False
    return True
