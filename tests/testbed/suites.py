"""`make test`: every suite, then the counts by folder. Refuses the network to unit and property tests.

Three pytest processes: unit and property in a network namespace of their own, where the system allows one;
then side by side, since most of it is waiting, the suites that start chains, databases, Vaults and programs.
What the second of these two prints comes when the first has ended.
"""

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from contextlib import ExitStack
from pathlib import Path
from typing import BinaryIO

from tests.testbed import counts
from tests.testbed.processes import ROOT

_CUT_OFF = ["unshare", "--map-root-user", "--net"]
_NO_TESTS = 5  # pytest's exit code when a folder has none


def main() -> int:
    """Exit code 0 when both runs passed; the second runs even if the first did not."""
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="airlock-counts-") as scratch:
        offline = _run(_cut_off(), ["unit", "property"], Path(scratch) / "offline.json")
        online = _side_by_side([["integration", "attack"], ["e2e"]], Path(scratch))
        found: dict[str, Counter[str]] = {}
        for file in Path(scratch).glob("*.json"):
            found |= counts.read(file)
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


def _side_by_side(groups: list[list[str]], scratch: Path) -> int:
    first, *others = groups
    with ExitStack() as stack:
        running = []
        for folders in others:
            printed = stack.enter_context((scratch / f"{folders[0]}.log").open("w+b"))
            child = _start([], folders, scratch / f"{folders[0]}.json", printed)
            stack.callback(child.kill)
            running.append((child, printed))
        codes = [_run([], first, scratch / f"{first[0]}.json")]
        for child, printed in running:
            codes.append(_code(child.wait()))
            printed.seek(0)
            shutil.copyfileobj(printed, sys.stdout.buffer)
            sys.stdout.flush()
    return max(codes)


def _run(prefix: list[str], folders: list[str], counts_file: Path) -> int:
    return _code(_start(prefix, folders, counts_file, None).wait())


def _start(
    prefix: list[str], folders: list[str], counts_file: Path, output: BinaryIO | None
) -> "subprocess.Popen[bytes]":
    sys.stdout.flush()
    command = [*prefix, sys.executable, "-m", "pytest", "-q", *(f"tests/{folder}" for folder in folders)]
    environment = {**os.environ, counts.COUNTS_FILE_VARIABLE: str(counts_file)}
    errors = None if output is None else subprocess.STDOUT
    return subprocess.Popen(command, cwd=ROOT, env=environment, stdout=output, stderr=errors)


def _code(returned: int) -> int:
    return 0 if returned == _NO_TESTS else abs(returned)


if __name__ == "__main__":
    sys.exit(main())
