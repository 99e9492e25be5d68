"""Programs as child processes: own group, own log file, ended by pid; refuses to touch any other process."""

import asyncio
import itertools
import os
import signal
import socket
import subprocess
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.testbed import child_logs

ROOT = Path(__file__).resolve().parents[2]

# Below what systems give to clients (Linux from 32768, others from 49152).
_FIRST_PORT, _SLICES, _SLICE = 16_384, 64, 256
_turns = itertools.count()
_slices: dict[int, tuple[int, socket.socket]] = {}
_GRACE_S = 30
"""More than the 15 s that a signer gives to calls that are still running when it ends."""


class Child:
    """One running program; `async with Child([...], log=path) as child:` ends it on every way out."""

    def __init__(
        self,
        argv: Sequence[str],
        *,
        log: Path,
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
        grace_s: float = _GRACE_S,
    ) -> None:
        self._argv, self._env, self._cwd, self._grace_s = list(argv), env, cwd, grace_s
        self.log_path = log
        self._process: subprocess.Popen[bytes] | None = None

    async def __aenter__(self) -> Self:
        self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    def start(self) -> None:
        """Starts the program; `env` is added to this process's environment; the log is appended to."""
        with self.log_path.open("ab") as log:
            self._process = subprocess.Popen(
                self._argv,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=self._cwd or ROOT,
                env={**os.environ, **(self._env or {})},
                start_new_session=True,  # a Ctrl-C at the terminal is ours to pass on, in our order
            )
        child_logs.note(self._process, self.log_path)

    @property
    def pid(self) -> int:
        return self._running().pid

    @property
    def returncode(self) -> int | None:
        """The exit code, negative for a signal; None while it runs."""
        return self._running().poll()

    def log(self) -> str:
        """What the program wrote so far, stdout and stderr together."""
        return self.log_path.read_text(encoding="utf-8", errors="replace")

    def kill(self) -> None:
        """SIGKILL, and reap: the crash that no handler sees."""
        if self.returncode is None:
            os.kill(self.pid, signal.SIGKILL)
        self._running().wait()

    async def wait(self, timeout_s: float = 60) -> int:
        """The exit code, once it has ended by itself."""
        return await asyncio.to_thread(self._running().wait, timeout_s)

    async def stop(self) -> int:
        """SIGTERM; after the grace SIGKILL. Safe to call again."""
        process = self._running()
        if process.poll() is None:
            os.kill(process.pid, signal.SIGTERM)
            try:
                await asyncio.to_thread(process.wait, self._grace_s)
            except subprocess.TimeoutExpired:
                self.kill()
        return process.wait()

    def _running(self) -> subprocess.Popen[bytes]:
        if self._process is None:
            raise RuntimeError(f"{self._argv[0]} was not started")
        return self._process


def free_port() -> int:
    """A TCP port of 127.0.0.1 that nobody listens on, and that nobody will be given meanwhile.

    Not one that the system gives away: until the program listens on it, a client's connection could get it.
    Test processes that run side by side take theirs from different slices, each port in its turn.
    """
    first = _own_slice()
    for _ in range(_SLICE - 1):
        port = first + 1 + next(_turns) % (_SLICE - 1)
        with socket.socket() as listener:
            # Connections that have ended may still hold the port of a program that listened there.
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                listener.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise OSError(f"no free port for process {os.getpid()}")


def _own_slice() -> int:
    """First port of a slice that is this process's alone: it holds that port for as long as it lives."""
    pid = os.getpid()
    if pid not in _slices:
        for turn in range(_SLICES):
            first = _FIRST_PORT + (pid + turn) % _SLICES * _SLICE
            holder = socket.socket()
            try:
                holder.bind(("127.0.0.1", first))
            except OSError:
                holder.close()
                continue
            _slices[pid] = first, holder
            break
        else:
            raise OSError(f"no slice of ports for process {pid}")
    return _slices[pid][0]


async def listens(port: int) -> bool:
    """Whether a TCP port of 127.0.0.1 takes a connection."""
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return False
    writer.close()
    return True


async def until(
    condition: Callable[[], Awaitable[bool]], *, what: str, timeout_s: float = 60, every_s: float = 0.02
) -> None:
    """Waits until `condition` holds; a `TimeoutError` says `what` did not happen."""
    deadline = time.monotonic() + timeout_s
    while not await condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"{what}: not within {timeout_s} s")
        await asyncio.sleep(every_s)
