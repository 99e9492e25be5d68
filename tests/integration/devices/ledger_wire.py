"""The framing of the emulator in lines of its own, so that a double is not tested with our transport."""

import socket
from types import TracebackType
from typing import Self


class PlainClient:
    """A program that talks to a Ledger: ours, or a foreign one."""

    def __init__(self, port: int, *, seconds: int = 5) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=seconds)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        self._socket.close()

    def send(self, apdu: bytes) -> None:
        self._socket.sendall(len(apdu).to_bytes(4, "big") + apdu)

    def ask(self, apdu: bytes) -> bytes:
        self.send(apdu)
        return self.read()

    def read(self) -> bytes:
        return self._exactly(int.from_bytes(self._exactly(4), "big") + 2)

    def hears_within(self, seconds: float) -> bytes | None:
        """An answer, or None when none begins within this time."""
        self._socket.settimeout(seconds)
        try:
            head = self._socket.recv(4)
        except TimeoutError:
            return None
        finally:
            self._socket.settimeout(5)
        return self._exactly(int.from_bytes(head, "big") + 2)

    def _exactly(self, count: int) -> bytes:
        got = b""
        while len(got) < count:
            part = self._socket.recv(count - len(got))
            if not part:
                raise ConnectionResetError
            got += part
        return got
