"""A transport whose reads end. The library waits for ever after the first screen; refuses to do that.

The library's own `timeout` covers the first answer of a call only, and its signing helpers take none.
"""

import contextlib
from collections.abc import Callable
from typing import ClassVar

from trezorlib.transport import Timeout, Transport
from typing_extensions import override


class BoundedTransport(Transport):
    """Reads in slices of `slice_s()`, which raises when the time is over or the caller has left."""

    PATH_PREFIX = "bounded"
    CHUNK_SIZE: ClassVar[int | None] = 64
    ENABLED = False

    def __init__(self, inner: Transport, slice_s: Callable[[], float]) -> None:
        self._inner = inner
        self._slice_s = slice_s

    def abandon(self) -> None:
        """Close it, however often the library has opened it: a pairing that fails leaves it open."""
        if self.is_open():
            self._opened = 1  # once is enough; the library warns about more
            with contextlib.suppress(Exception):  # it is of no use any more, nor is what it says
                self.close()

    @override
    def get_path(self) -> str:
        return self._inner.get_path()

    @override
    def is_open(self) -> bool:
        return self._inner.is_open()

    @override
    def _open(self) -> None:
        self._inner.open()

    @override
    def _close(self) -> None:
        self._inner.close()

    @override
    def write_chunk(self, chunk: bytes, /) -> None:
        self._inner.write_chunk(chunk)

    @override
    def read_chunk(self, *, timeout: float | None = None) -> bytes:
        waited = 0.0
        while True:
            part = self._slice_s()
            if timeout is not None:
                part = min(part, timeout - waited)
            try:
                return self._inner.read_chunk(timeout=part)
            except Timeout:
                waited += part
                if timeout is not None and waited >= timeout:
                    raise
