"""Memory for a key in use: never swapped, dumped or inherited, and overwritten. Gives out no copy."""

import ctypes
import mmap
import os
from types import TracebackType
from typing import NoReturn, Self

from typing_extensions import override

from signer.domain.errors import ConfigurationError

_libc = ctypes.CDLL(None, use_errno=True)


class LockedBuffer:
    """Private pages of this process, locked in memory. Zero when made and after every `wipe`.

    `view` is the one way in; whoever slices it holds no copy. Close releases the pages, overwritten.
    """

    def __init__(self, size: int) -> None:
        """Raises ConfigurationError when the system does not let us lock `size` bytes."""
        self._pages = mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
        self._array = (ctypes.c_char * size).from_buffer(self._pages)
        self._address = ctypes.addressof(self._array)
        self._pages.madvise(mmap.MADV_DONTDUMP)
        self._pages.madvise(mmap.MADV_DONTFORK)
        if _libc.mlock(ctypes.c_void_p(self._address), ctypes.c_size_t(size)) != 0:
            problem = os.strerror(ctypes.get_errno())
            raise ConfigurationError(
                f"{size} bytes for keys cannot be locked in memory: {problem}; "
                "allow the process to lock 1 MiB (systemd: LimitMEMLOCK=1M, shell: ulimit -l 1024)"
            )
        self.view = memoryview(self._pages)

    def __len__(self) -> int:
        return len(self._pages)

    def find(self, what: bytes, start: int, end: int) -> int:
        """Where `what` begins, or -1. Copies nothing."""
        return self._pages.find(what, start, end)

    def move(self, target: int, source: int, count: int) -> None:
        """Move bytes inside the buffer; the two places may overlap."""
        self._pages.move(target, source, count)

    def wipe(self) -> None:
        """Overwrite everything with zeros."""
        ctypes.memset(self._address, 0, len(self._pages))

    def close(self) -> None:
        """Overwrite and give the pages back. A view that is still held keeps them, overwritten."""
        self.wipe()
        self.view.release()
        _libc.munlock(ctypes.c_void_p(self._address), ctypes.c_size_t(len(self._pages)))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @override
    def __repr__(self) -> str:
        return f"LockedBuffer({len(self._pages)} bytes)"

    @override
    def __reduce__(self) -> NoReturn:
        """Its content stays in these pages."""
        raise TypeError("locked memory cannot be pickled or copied")
