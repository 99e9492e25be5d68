"""`make test`: every suite, then the counts by folder. Refuses the network to unit and property tests.

Unit and property tests run in a network namespace of their own, where the system allows one. Most of the
others, which start chains, databases, Vaults and programs, is waiting; so seven groups run side by side, the
next one begins when one has ended, and what each prints comes when those before it have ended.
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
_AT_ONCE = 7
_LOOK_S = 0.2
_VAULT, _DEVICES = "tests/integration/vault", "tests/integration/devices"
_BUILT_IN_VAULT = ("*bootstrap*", "*role*", "*rotat*")  # of that folder: half of its time
_CRASHES = ("*crash*",)  # of tests/integration: killed after every step, hundreds of lives
# Of tests/e2e, each a quarter of its time:
_IN_VAULT = ("*vault*", "*runbook*")
_ROTATIONS = ("*rotat*",)
_DEVICES_AND_WALLETS = ("*device*", "*wallet*", "*console*")


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
    """Each test is in one of them. What takes longest comes first, but for the one that is shown."""
    built = _files(_VAULT, _BUILT_IN_VAULT)
    crashes, in_vault = _files("tests/integration", _CRASHES), _files("tests/e2e", _IN_VAULT)
    rotations = sorted(set(_files("tests/e2e", _ROTATIONS)) - set(in_vault))
    attended = sorted(set(_files("tests/e2e", _DEVICES_AND_WALLETS)) - {*in_vault, *rotations})
    return (
        Group(prefix=_cut_off(), arguments=("tests/unit", "tests/property")),
        Group(arguments=crashes),
        Group(arguments=("tests/integration", *_without((_VAULT, _DEVICES, *crashes)))),
        Group(arguments=(_DEVICES,)),
        Group(arguments=in_vault),
        Group(arguments=(_VAULT, *_without(built))),
        Group(arguments=built),
        Group(arguments=("tests/e2e", *_without((*in_vault, *rotations, *attended)))),
        Group(arguments=rotations),
        Group(arguments=attended),
        Group(arguments=("tests/attack",)),
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
        started: list[tuple[subprocess.Popen[bytes], BinaryIO | None]] = []
        for number, group in enumerate(groups):
            _await_room([child for child, _ in started])
            # The first one is shown as it runs.
            log = None if number == 0 else stack.enter_context((scratch / f"{number}.log").open("w+b"))
            child = _start(group, scratch / str(number), log)
            stack.callback(child.kill)
            started.append((child, log))
        codes = []
        for child, written in started:
            codes.append(_code(child.wait()))
            if written is not None:
                written.seek(0)
                shutil.copyfileobj(written, sys.stdout.buffer)
                sys.stdout.flush()
    return max(codes)


def _await_room(children: Sequence["subprocess.Popen[bytes]"]) -> None:
    while sum(child.poll() is None for child in children) >= _AT_ONCE:
        time.sleep(_LOOK_S)


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
