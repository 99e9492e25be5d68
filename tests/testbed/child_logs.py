"""What the programs under a failed test wrote last, told with the failure; refuses to tell of other programs.

A test that fails once in a hundred runs on another machine leaves nothing else behind.
"""

import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

_LINES, _WIDTH = 40, 300


@dataclass(frozen=True, slots=True, kw_only=True)
class _Started:
    process: "subprocess.Popen[bytes]"
    log: Path
    at: float = field(default_factory=time.time)


_started: list[_Started] = []


def note(process: "subprocess.Popen[bytes]", log: Path) -> None:
    """A program was started that writes there."""
    _started.append(_Started(process=process, log=log))


def sections(since: float) -> Iterator[tuple[str, str]]:
    """Title and last lines of each program that runs, or was started since (seconds of `time.time`)."""
    there = [each for each in _started if each.process.poll() is None or each.at >= since]
    for log in dict.fromkeys(each.log for each in there):
        pids = ", ".join(str(each.process.pid) for each in there if each.log == log)
        if log.exists() and (text := log.read_text(encoding="utf-8", errors="replace")):
            lines = [line[:_WIDTH] for line in text.splitlines()[-_LINES:]]
            yield f"last lines of {log.name} (pid {pids})", "\n".join(lines)
