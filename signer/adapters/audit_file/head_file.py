"""How far the trail was, in a small file beside it, so that a trail cut at its end is noticed.

Written after the records are durable, so it never runs ahead; not flushed each time, so after a power cut
it may lag. Whoever can rewrite both files can hide a cut: against that, keep heads elsewhere and give one
to `verify`.
"""

import os
from pathlib import Path

from signer.adapters.audit_file.chain import Head


def head_path(path: Path) -> Path:
    """File beside the trail."""
    return path.with_name(f"{path.name}.head")


def read_head(path: Path) -> Head | None:
    """Head noted for the trail at `path`, or None when there is none. Raises ValueError when unreadable."""
    try:
        words = head_path(path).read_text(encoding="ascii", errors="replace").split()
    except FileNotFoundError:
        return None
    match words:
        case [seq, digest] if seq.isdecimal() and len(digest) == 64:  # noqa: PLR2004 - hex digits of SHA-256
            return Head(seq=int(seq), hash=digest)
        case []:
            return None
        case _:
            raise ValueError(f"{head_path(path)} is not `<number> <hash>`")


class HeadFile:
    """The open file."""

    def __init__(self, path: Path) -> None:
        self._descriptor = os.open(head_path(path), os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
        os.fchmod(self._descriptor, 0o600)

    def write(self, head: Head) -> None:
        """Note the head. One small write of fixed length replaces the one before. Raises OSError."""
        os.pwrite(self._descriptor, f"{head.seq:020d} {head.hash}\n".encode("ascii"), 0)

    def close(self) -> None:
        """Make the last head durable and close. Raises OSError."""
        try:
            os.fsync(self._descriptor)
        finally:
            os.close(self._descriptor)
