import mmap
import pickle
import re
import subprocess
import sys
from pathlib import Path

import pytest

from signer.adapters.vault.locked_memory import LockedBuffer
from signer.domain.errors import ConfigurationError


def test_its_pages_are_locked_kept_out_of_dumps_and_not_inherited() -> None:
    with LockedBuffer(3 * mmap.PAGESIZE) as buffer:
        buffer.view[:13] = b"a mark of our"

        flags = _flags_of_the_mapping_that_holds(b"a mark of our", 3 * mmap.PAGESIZE)

    assert {"lo", "dd", "dc"} <= flags  # locked, do not dump, do not copy on fork


def test_wiping_overwrites_everything() -> None:
    with LockedBuffer(100) as buffer:
        buffer.view[:] = b"s" * 100
        kept = buffer.view[10:20]

        buffer.wipe()

        assert bytes(buffer.view) == bytes(100)
        assert bytes(kept) == bytes(10)


def test_closing_overwrites_what_somebody_still_looks_at() -> None:
    buffer = LockedBuffer(100)
    buffer.view[:] = b"s" * 100
    kept = buffer.view[10:20]

    buffer.close()

    assert bytes(kept) == bytes(10)
    with pytest.raises(ValueError, match="released"):
        len(buffer.view)


def test_moving_and_finding_stay_inside() -> None:
    with LockedBuffer(16) as buffer:
        buffer.view[:] = b"0123456789abcdef"

        buffer.move(0, 4, 8)

        assert bytes(buffer.view) == b"456789ab89abcdef"
        assert buffer.find(b"89", 0, 16) == 4
        assert buffer.find(b"89", 5, 8) == -1


def test_it_shows_and_hands_out_nothing() -> None:
    with LockedBuffer(8) as buffer:
        buffer.view[:] = b"password"

        assert repr(buffer) == "LockedBuffer(8 bytes)"
        with pytest.raises(TypeError):
            pickle.dumps(buffer)


def test_memory_that_cannot_be_locked_is_refused_with_what_to_do() -> None:
    # Root may always lock, so the child gives that right up before it asks.
    code = (
        "import contextlib, os, resource\n"
        "from signer.adapters.vault.locked_memory import LockedBuffer\n"
        "resource.setrlimit(resource.RLIMIT_MEMLOCK, (4096, 4096))\n"
        "with contextlib.suppress(OSError): os.setuid(65534)\n"
        "LockedBuffer(1 << 20)\n"
    )

    child = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)

    assert ConfigurationError.__name__ in child.stderr
    assert "LimitMEMLOCK=1M" in child.stderr


def test_a_process_that_forbids_dumps_has_no_core_and_is_closed_to_its_user() -> None:
    code = (
        "import ctypes, resource\n"
        "from signer.adapters.process_memory import forbid_dumps\n"
        "forbid_dumps()\n"
        "print(resource.getrlimit(resource.RLIMIT_CORE), ctypes.CDLL(None).prctl(3, 0, 0, 0, 0))\n"
    )

    child = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert child.stdout == "(0, 0) 0\n"


def _flags_of_the_mapping_that_holds(mark: bytes, size: int) -> set[str]:
    region = (0, 0)
    with Path("/proc/self/mem").open("rb", buffering=0) as memory:
        for line in Path("/proc/self/smaps").read_text().splitlines():
            head = re.match(r"([0-9a-f]+)-([0-9a-f]+) rw", line)
            if head is not None:
                region = (int(head[1], 16), int(head[2], 16))
            elif line.startswith("VmFlags:") and region[1] - region[0] == size:
                memory.seek(region[0])
                if memory.read(len(mark)) == mark:
                    return set(line.split()[1:])
    return set()
