"""A program in a real pseudo-terminal, its screen as a person sees it. Ends with the test.

The screen is pyte's: what the program writes is interpreted as a terminal does it.
"""

import asyncio
import contextlib
import fcntl
import os
import pty
import signal
import struct
import subprocess
import termios
import threading
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from typing import Self

import pyte
from typing_extensions import override

from tests.testbed.processes import ROOT, until

_READ_BYTES = 65_536


class Terminal:
    """`async with Terminal.running([...]) as terminal:` starts the program and kills it at the end."""

    def __init__(self, process: subprocess.Popen[bytes], master: int, columns: int, lines: int) -> None:
        self._process = process
        self._master = master
        self._screen = _Screen(columns, lines)
        self._stream = pyte.ByteStream(self._screen)
        self._lock = threading.Lock()
        self._written = bytearray()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    @classmethod
    @contextlib.asynccontextmanager
    async def running(
        cls,
        argv: Sequence[str],
        *,
        columns: int = 80,
        lines: int = 24,
        env: Mapping[str, str] | None = None,
    ) -> AsyncIterator[Self]:
        """A terminal of this size with the program in it; `env` is added to this process's environment."""
        master, slave = pty.openpty()
        _resize(master, columns, lines)
        process = subprocess.Popen(  # noqa: ASYNC220 - returns once it runs; asyncio would watch it
            list(argv),
            stdin=slave,
            stdout=slave,
            stderr=slave,
            cwd=ROOT,
            env={**os.environ, "TERM": "xterm-256color", **(env or {})},
            start_new_session=True,
        )
        os.close(slave)
        terminal = cls(process, master, columns, lines)
        try:
            yield terminal
        finally:
            if process.poll() is None:
                process.kill()
            process.wait()
            await asyncio.to_thread(terminal._reader.join)
            os.close(master)

    @property
    def text(self) -> str:
        """What stands on the screen, blanks at the ends of lines left out."""
        with self._lock:
            return "\n".join(line.rstrip() for line in self._screen.display)

    @property
    def bells(self) -> int:
        """How often it rang."""
        with self._lock:
            return self._screen.bells

    @property
    def written(self) -> bytes:
        """Everything that the program has written."""
        with self._lock:
            return bytes(self._written)

    @property
    def returncode(self) -> int | None:
        """The exit code; None while it runs."""
        return self._process.poll()

    def press(self, keys: str) -> None:
        """Type."""
        os.write(self._master, keys.encode())

    def resize(self, columns: int, lines: int) -> None:
        """Make the window another size, as a person does with the mouse."""
        with self._lock:
            self._screen.resize(lines, columns)
        _resize(self._master, columns, lines)
        os.kill(
            self._process.pid, signal.SIGWINCH
        )  # the terminal is not the session's own, so nobody tells it

    async def until(self, shows: str | Callable[[str], bool], *, timeout_s: float = 60) -> str:
        """The screen, once it shows a text or satisfies a condition. Raises with the screen otherwise."""

        async def holds() -> bool:
            return shows in self.text if isinstance(shows, str) else shows(self.text)

        try:
            await until(holds, what=f"the screen shows {shows}", timeout_s=timeout_s)
        except TimeoutError as error:
            raise AssertionError(f"{error}; it shows:\n{self.text}") from None
        return self.text

    async def ended(self, timeout_s: float = 60) -> int:
        """The exit code, once the program has ended by itself."""
        return await asyncio.to_thread(self._process.wait, timeout_s)

    def _read(self) -> None:
        while True:
            try:
                data = os.read(self._master, _READ_BYTES)
            except OSError:  # the program has ended
                return
            if not data:
                return
            with self._lock:
                self._written += data
                self._stream.feed(data)


class _Screen(pyte.Screen):
    """Counts its bells."""

    bells = 0

    @override
    def bell(self, *arguments: object) -> None:
        self.bells += 1


def _resize(terminal: int, columns: int, lines: int) -> None:
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))
