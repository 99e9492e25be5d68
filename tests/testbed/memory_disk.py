"""Where files may lie in memory; refuses a system that has no room for them."""

import shutil
from pathlib import Path

_PLACE = Path("/dev/shm")  # noqa: S108 - whoever uses it makes a folder of its own in it
_ROOM_BYTES = 1024**3


def memory_disk() -> Path | None:
    """Parent of temporary folders whose files a power cut may take; None for the usual place."""
    return _PLACE if _PLACE.is_dir() and shutil.disk_usage(_PLACE).free > _ROOM_BYTES else None
