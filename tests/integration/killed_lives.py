"""A program that is killed and started again: one forked process a life, ended by SIGKILL at a given step.

The child's half (`live_by_line`, `Death`) runs in a process that has imported everything, so a life begins in
milliseconds; the test's half is `lives`. One line on stdin is one life, one line on stdout says how it ended;
what a life prints goes to stderr.
"""

import asyncio
import gc
import os
import signal
import sys
import tempfile
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from typing import BinaryIO

from tests.testbed.processes import ROOT

KILLED, ENDED = "-9", "0"
NEVER = 0
"""The step at which a life dies that is not killed."""

_STDIN, _STDOUT = 0, 1


class Death:
    """Kills this process by SIGKILL as soon as its nth step is done. The first step is 1."""

    def __init__(self, after: int) -> None:
        self._left = after

    def step(self) -> None:
        """One more step is done."""
        self._left -= 1
        if self._left == 0:
            os.kill(os.getpid(), signal.SIGKILL)


def live_by_line(live: Callable[[str], Coroutine[None, None, None]]) -> None:
    """Run one forked life for each line, until stdin ends."""
    sys.stdout = sys.stderr
    gc.freeze()  # a collection in a life would copy every page that it shares with this process
    while line := hear():
        pid = os.fork()
        if pid == 0:
            asyncio.run(live(line))
            os._exit(0)
        _, status = os.waitpid(pid, 0)
        say(str(os.waitstatus_to_exitcode(status)))


def hear() -> str:
    """The next line, without its end; empty when there is none. Reads no byte of the line after it."""
    line = b""
    while (byte := os.read(_STDIN, 1)) not in {b"", b"\n"}:
        line += byte
    return line.decode()


def say(line: str) -> None:
    """Tell the test."""
    os.write(_STDOUT, f"{line}\n".encode())


class Lives:
    """The test's end of the line."""

    def __init__(self, process: asyncio.subprocess.Process, printed: BinaryIO) -> None:
        self._process, self._printed = process, printed

    async def live(self, line: str) -> str:
        """Begin a life (or answer one that asked), and hear how it ended or what it says."""
        process = self._process
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(f"{line}\n".encode())
        answer = (await process.stdout.readline()).decode().strip()
        if answer.lstrip("-").isdecimal() and answer not in {KILLED, ENDED}:
            self._printed.seek(0)
            raise AssertionError((line, answer, self._printed.read().decode()))
        return answer


@asynccontextmanager
async def lives(program: Path, *arguments: str) -> AsyncIterator[Lives]:
    """Start a program that calls `live_by_line`, and end it."""
    with tempfile.TemporaryFile() as printed:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            str(program),
            *arguments,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=printed,
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )
        try:
            yield Lives(process, printed)
        finally:
            await process.communicate(b"")  # its stdin ends, and with it the program
