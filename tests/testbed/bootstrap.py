"""What `make` runs first: the environment and the test bed's packages. Refuses a Python older than 3.11.

    python3 -m tests.testbed.bootstrap [environment | everything]

With `environment` only `.venv` is made; with `everything` there is a Vault, too, which may have to be built.
Standard library only, since it runs before anything is installed; and nothing newer than Python 3.7 up to the
version check: an old Python gets a sentence and not a traceback.
"""

import fcntl
import os
import subprocess
import sys
from pathlib import Path
from typing import TextIO

ROOT = Path(__file__).resolve().parents[2]
OLDEST = (3, 11)


def main() -> int:
    """Exit code 0 when everything is there, 1 with the reason and the remedy otherwise."""
    if sys.version_info < OLDEST:
        found = ".".join(map(str, sys.version_info[:2]))
        return _fail(
            f"Python {found} is too old, airlock needs 3.11 or newer: install one (Debian, Ubuntu: `apt-get "
            "install python3.11 python3.11-venv`) and name it, as in `make PYTHON=python3.11 test`"
        )
    # After the check: these files use the syntax of 3.11.
    from tests.testbed import download, environment, packages, vault_binary  # noqa: PLC0415

    try:
        _lock(ROOT / ".airlock")
        environment.ensure(ROOT, _say)
        if sys.argv[1:] != ["environment"]:
            _lock(packages.cache_dir())
            download.fetch_missing(_say)
        if sys.argv[1:] == ["everything"]:
            vault_binary.build_if_missing(_say)
    except (download.MissingToolError, OSError, ValueError, subprocess.TimeoutExpired) as problem:
        return _fail(str(problem))
    return 0


_held: "list[TextIO]" = []  # let go of by the kernel when the process ends, however it ends


def _lock(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    handle = (folder / "bootstrap.lock").open("w")
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        _say(f"waiting for another run that is setting up {folder}")
        fcntl.flock(handle, fcntl.LOCK_EX)
    # pip and npm inherit it, so that a run that was killed stays locked until what it started has ended.
    os.set_inheritable(handle.fileno(), True)
    _held.append(handle)


def _say(text: str) -> None:
    print(text, flush=True)


def _fail(text: str) -> int:
    print("airlock: " + text, file=sys.stderr, flush=True)
    return 1


if __name__ == "__main__":
    sys.exit(main())
