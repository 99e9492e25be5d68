"""The command: keys and news go into the state, the state goes onto the screen."""

import argparse
import asyncio
from contextlib import aclosing
from functools import partial

from signer.adapters.system_clock import SystemClock
from signer.api.admin_client import admin_client
from signer.cli.admin import add_access, identity_of
from signer.cli.command import Arguments, Subparsers
from signer.cli.console.acts import Act, Quit
from signer.cli.console.link import Link, Lost, News
from signer.cli.console.state import Moment, State, begin, is_news, lost, pressed, saw, told
from signer.cli.console.terminal import Terminal
from signer.cli.console.view import screen
from signer.cli.exit_codes import ExitCode
from signer.domain.errors import SignerError
from signer.domain.time import MS_PER_S
from signer.ports.clock import Clock

_TICK_S = 1.0


def add_to(subparsers: Subparsers) -> None:
    """Add the command."""
    parser = subparsers.add_parser(
        "console",
        help="what waits for a person at a device, in a terminal; dismiss it, pause, resume",
        description="Shows what waits for a person. Confirms nothing: only the device does. Keys: `?`.",
    )
    add_access(parser)
    parser.add_argument("--no-bell", action="store_true", help="do not ring the bell for a new request")
    parser.set_defaults(command=partial(_run, parser))


def _run(parser: argparse.ArgumentParser, arguments: Arguments) -> int:
    identity = identity_of(parser, arguments)
    address: str = arguments.address
    quiet: bool = arguments.no_bell
    link = Link(lambda: admin_client(address, identity))
    asyncio.run(_show(link, address, bell=not quiet))
    return ExitCode.OK


async def _show(link: Link, address: str, *, bell: bool) -> None:
    with Terminal() as terminal:
        await _Session(link, terminal, SystemClock(), address, bell=bell).run()


class _Session:
    """One console, from its start to `q`."""

    def __init__(self, link: Link, terminal: Terminal, clock: Clock, address: str, *, bell: bool) -> None:
        self._link = link
        self._terminal = terminal
        self._clock = clock
        self._bell = bell
        self._state = begin(address, self._now())
        self._acts: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        """Raises RefusedError when the signer refuses the operator, ConfigurationError for unusable files."""
        listening = asyncio.create_task(self._listen())
        typing = asyncio.create_task(self._type())
        ticking = asyncio.create_task(self._tick())
        try:
            done, _ = await asyncio.wait({listening, typing, ticking}, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            for task in (listening, typing, ticking, *self._acts):
                task.cancel()
            await asyncio.gather(listening, typing, ticking, *self._acts, return_exceptions=True)

    async def _listen(self) -> None:
        async with aclosing(self._link.news()) as news:
            async for each in news:
                self._heard(each)

    async def _type(self) -> None:
        while True:
            key = await self._terminal.keys.get()
            state, what = pressed(self._state, key)
            if isinstance(what, Quit):
                return
            self._become(state)
            if what is not None:
                task = asyncio.create_task(self._do(what))
                self._acts.add(task)
                task.add_done_callback(self._acts.discard)

    async def _tick(self) -> None:
        while True:
            self._become(self._state)
            await asyncio.sleep(_TICK_S)

    async def _do(self, act: Act) -> None:
        try:
            notice = await self._link.do(act)
        except SignerError as error:  # a certificate file that went away meanwhile
            notice = f"NOT DONE: {error}"
        self._become(told(self._state, notice))

    def _heard(self, news: News) -> None:
        if isinstance(news, Lost):
            self._become(lost(self._state, news.problem, self._now()))
            return
        after = saw(self._state, news, self._now())
        if self._bell and is_news(self._state, after):
            self._terminal.ring()
        self._become(after)

    def _become(self, state: State) -> None:
        self._state = state
        width, height = self._terminal.size
        self._terminal.draw(screen(state, self._now(), width=width, height=height))

    def _now(self) -> Moment:
        steady_ms = int(asyncio.get_running_loop().time() * MS_PER_S)
        return Moment(wall=self._clock.now(), steady_ms=steady_ms)
