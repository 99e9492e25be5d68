"""`make test`: every suite, then the counts by folder. Refuses the network to unit and property tests.

Two pytest processes: unit and property in a network namespace of their own, where the system allows one; then
the suites that start chains, databases and programs on the loopback.
"""

import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.testbed import counts
from tests.testbed.processes import ROOT

_CUT_OFF = ["unshare", "--map-root-user", "--net"]
_NO_TESTS = 5  # pytest's exit code when a folder has none


def main() -> int:
    """Exit code 0 when both runs passed; the second runs even if the first did not."""
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="airlock-counts-") as scratch:
        offline = _run(_cut_off(), ["unit", "property"], Path(scratch) / "offline.json")
        online = _run([], ["integration", "e2e", "attack"], Path(scratch) / "online.json")
        found = {**counts.read(Path(scratch) / "offline.json"), **counts.read(Path(scratch) / "online.json")}
    sys.stdout.write("\n" + "\n".join(counts.render(found)) + f"\nin {time.monotonic() - started:.0f} s\n")
    return max(offline, online)


def _cut_off() -> list[str]:
    if (
        shutil.which("unshare")
        and subprocess.run([*_CUT_OFF, "true"], capture_output=True, check=False).returncode == 0
    ):
        return _CUT_OFF
    sys.stdout.write("unit and property tests run with the network on: this system has no `unshare --net`\n")
    return []


def _run(prefix: list[str], folders: list[str], counts_file: Path) -> int:
    sys.stdout.flush()
    command = [*prefix, sys.executable, "-m", "pytest", "-q", *(f"tests/{folder}" for folder in folders)]
    environment = {**os.environ, counts.COUNTS_FILE_VARIABLE: str(counts_file)}
    code = subprocess.run(command, cwd=ROOT, env=environment, check=False).returncode
    return 0 if code == _NO_TESTS else code


if __name__ == "__main__":
    sys.exit(main())
