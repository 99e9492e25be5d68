"""A terminal with keys instead of lines, and a screen of its own. Leaves it as it was, on every way out."""

import asyncio
import os
import signal
import sys
import termios
import tty
from collections.abc import Callable
from contextlib import AbstractContextManager, suppress
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.live import Live
from rich.text import Text
from typing_extensions import override

from signer.cli.console.keys import QUIT, Keys
from signer.domain.errors import ConfigurationError

_ESCAPE_AFTER_S = 0.05
_READ_BYTES = 1_024


class Terminal(AbstractContextManager["Terminal"]):
    """`keys` is where pressed keys arrive; an empty one means that the size has changed.

    Entering raises ConfigurationError where there is no terminal.
    """

    def __init__(self) -> None:
        self.keys: asyncio.Queue[str] = asyncio.Queue()
        self._decoder = Keys()
        self._console = Console(highlight=False, markup=False, emoji=False)
        self._live = Live(
            Text(""),
            console=self._console,
            screen=True,
            auto_refresh=False,
            redirect_stdout=False,
            redirect_stderr=False,
        )
        self._restore: Callable[[], None] = lambda: None

    @override
    def __enter__(self) -> Self:
        if not (sys.stdin.isatty() and sys.stdout.isatty()) or self._console.is_dumb_terminal:
            raise ConfigurationError(
                "the console needs a terminal for input and output that is not TERM=dumb"
            )
        self._stdin = sys.stdin.fileno()
        before = termios.tcgetattr(self._stdin)
        self._restore = lambda: termios.tcsetattr(self._stdin, termios.TCSADRAIN, before)
        tty.setcbreak(self._stdin)
        self._take_every_key()
        loop = asyncio.get_running_loop()
        loop.add_reader(self._stdin, self._read)
        loop.add_signal_handler(signal.SIGWINCH, self.keys.put_nowait, "")
        for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
            loop.add_signal_handler(number, self.keys.put_nowait, QUIT)
        self._live.start()
        return self

    @override
    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        loop = asyncio.get_running_loop()
        loop.remove_reader(self._stdin)
        for number in (signal.SIGWINCH, signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
            loop.remove_signal_handler(number)
        with suppress(OSError, termios.error):  # a terminal that is gone has nothing to be left as it was
            self._live.stop()
        with suppress(OSError, termios.error):
            self._restore()

    @property
    def size(self) -> tuple[int, int]:
        """Columns and lines now, by the terminal itself."""
        columns, lines = os.get_terminal_size(sys.stdout.fileno())
        return (columns or 80, lines or 24)

    def draw(self, text: Text) -> None:
        """Show it instead of what was there."""
        self._console.size = self.size
        try:
            self._live.update(text, refresh=True)
        except OSError:  # the terminal is gone
            self.keys.put_nowait(QUIT)

    def ring(self) -> None:
        """Ring the bell."""
        self._console.bell()

    def _take_every_key(self) -> None:
        """Control-C, -Z, -S and -V arrive as keys: a stopped console would leave its screen behind."""
        mode = termios.tcgetattr(self._stdin)
        mode[tty.LFLAG] &= ~(termios.ISIG | termios.IEXTEN)
        mode[tty.IFLAG] &= ~(termios.IXON | termios.ICRNL)
        termios.tcsetattr(self._stdin, termios.TCSADRAIN, mode)

    def _read(self) -> None:
        try:
            data = os.read(self._stdin, _READ_BYTES)
        except OSError:  # the terminal is gone
            data = b""
        for key in self._decoder.feed(data) if data else [QUIT]:
            self.keys.put_nowait(key)
        if not data:
            asyncio.get_running_loop().remove_reader(self._stdin)
        if self._decoder.begun:
            asyncio.get_running_loop().call_later(_ESCAPE_AFTER_S, self._flush)

    def _flush(self) -> None:
        for key in self._decoder.flush():
            self.keys.put_nowait(key)
