"""`make test`: every suite, then the counts by folder. Refuses the network to unit and property tests.

Unit and property tests run in a network namespace of their own, where the system allows one. Most of the
others, which start chains, databases, Vaults and programs, is waiting; so six groups run side by side, and
what each prints comes when the groups before it have ended.
"""

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from tests.testbed import counts
from tests.testbed.processes import ROOT

_CUT_OFF = ["unshare", "--map-root-user", "--net"]
_NO_TESTS = 5  # pytest's exit code when a folder has none
_VAULT_AND_DEVICES = ("tests/integration/vault", "tests/integration/devices")
_CRASHES = ("*crash*",)  # of tests/integration: killed after every step, hundreds of lives
_ROTATIONS = ("*vault*", "*rotat*", "*runbook*")  # of tests/e2e: half of its time


def main() -> int:
    """Exit code 0 when every group passed; all of them run, whatever the others do."""
    started = time.monotonic()
    found: dict[str, Counter[str]] = defaultdict(Counter)
    with tempfile.TemporaryDirectory(prefix="airlock-counts-") as scratch:
        code = _side_by_side(_groups(), Path(scratch))
        for file in Path(scratch).glob("*.json"):
            for folder, outcomes in counts.read(file).items():
                found[folder] += outcomes
    sys.stdout.write("\n" + "\n".join(counts.render(found)) + f"\nin {time.monotonic() - started:.0f} s\n")
    return code


def _groups() -> Sequence["Group"]:
    """Each test is in one of them."""
    rotations, crashes = _files("tests/e2e", _ROTATIONS), _files("tests/integration", _CRASHES)
    return (
        Group(prefix=_cut_off(), arguments=("tests/unit", "tests/property")),
        Group(arguments=("tests/integration", *_without((*_VAULT_AND_DEVICES, *crashes)), "tests/attack")),
        Group(arguments=crashes),
        Group(arguments=_VAULT_AND_DEVICES),
        Group(arguments=rotations),
        Group(arguments=("tests/e2e", *_without(rotations))),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """One pytest process."""

    arguments: Sequence[str]
    prefix: Sequence[str] = ()


def _files(folder: str, globs: Sequence[str]) -> Sequence[str]:
    found = {file for glob in globs for file in (ROOT / folder).glob(f"test_{glob}.py")}
    return sorted(str(file.relative_to(ROOT)) for file in found)


def _without(paths: Sequence[str]) -> Sequence[str]:
    return [f"--ignore={path}" for path in paths]


def _cut_off() -> list[str]:
    if (
        shutil.which("unshare")
        and subprocess.run([*_CUT_OFF, "true"], capture_output=True, check=False).returncode == 0
    ):
        return _CUT_OFF
    sys.stdout.write("unit and property tests run with the network on: this system has no `unshare --net`\n")
    return []


def _side_by_side(groups: Sequence[Group], scratch: Path) -> int:
    with ExitStack() as stack:
        running = []
        for number, group in enumerate(groups):
            # The first one is shown as it runs.
            log = None if number == 0 else stack.enter_context((scratch / f"{number}.log").open("w+b"))
            child = _start(group, scratch / str(number), log)
            stack.callback(child.kill)
            running.append((child, log))
        codes = []
        for child, log in running:
            codes.append(_code(child.wait()))
            if log is not None:
                log.seek(0)
                shutil.copyfileobj(log, sys.stdout.buffer)
                sys.stdout.flush()
    return max(codes)


def _start(group: Group, name: Path, output: BinaryIO | None) -> "subprocess.Popen[bytes]":
    sys.stdout.flush()
    command = [*group.prefix, sys.executable, "-m", "pytest", "-q", *group.arguments]
    environment = {**os.environ, counts.COUNTS_FILE_VARIABLE: f"{name}.json"}
    errors = None if output is None else subprocess.STDOUT
    return subprocess.Popen(command, cwd=ROOT, env=environment, stdout=output, stderr=errors)


def _code(returned: int) -> int:
    return 0 if returned == _NO_TESTS else abs(returned)


if __name__ == "__main__":
    sys.exit(main())
