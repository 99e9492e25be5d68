"""Changes a file that others read: whole at every instant. Refuses to lose another's change, or its owner."""

import contextlib
import fcntl
import os
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from signer.adapters.device.deadline import Deadline

_PATIENCE_MS = 10_000
_POLL_S = 0.02


@contextmanager
def alone_with(path: Path) -> Iterator[None]:
    """While this lasts, nobody else who asks for it changes a file of this folder: read, change, replace.

    Raises OSError, also when somebody else takes longer than 10 s.
    """
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        deadline, pause = Deadline(_PATIENCE_MS), threading.Event()
        while True:
            try:
                fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if deadline.left_ms() == 0:
                    raise
                pause.wait(_POLL_S)
        yield
    finally:
        os.close(folder)


def replace(path: Path, content: bytes, *, mode: int) -> None:
    """Make this its content, durably; its owner stays. Raises OSError, and then nothing has changed."""
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".new")
    try:
        with os.fdopen(descriptor, "wb") as new:
            with contextlib.suppress(FileNotFoundError):
                before = path.stat()
                os.fchown(new.fileno(), before.st_uid, before.st_gid)
            os.fchmod(new.fileno(), mode)
            new.write(content)
            new.flush()
            os.fsync(new.fileno())
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
