"""A transport whose reads and writes end. The library waits for ever after the first screen; refuses that.

The library's own `timeout` covers the first answer of a call only, and its signing helpers take none.
"""

import contextlib
import math
from collections.abc import Callable
from typing import ClassVar

from trezorlib.transport import Timeout, Transport
from typing_extensions import override

_ONE_POLL = -math.inf
"""The library measures by the wall clock: set back by an hour, a wait of 0.1 s would last an hour. Before all
time is over already, and it comes back after one poll (0.1 s over UDP, 0.3 s over USB)."""


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
        while True:
            try:
                self._inner.write_chunk(chunk)
            except Timeout:  # nothing was taken; raises when nobody waits any more
                self._slice_s()
            else:
                return

    @override
    def read_chunk(self, *, timeout: float | None = None) -> bytes:
        waited = 0.0
        while True:
            part = self._slice_s()
            if timeout is not None:
                part = min(part, timeout - waited)
            try:
                return self._inner.read_chunk(timeout=_ONE_POLL)
            except Timeout:
                waited += part
                if timeout is not None and waited >= timeout:
                    raise
