"""`airlock-signer mock-device ledger` as a process, and the buttons that a script presses on it."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from tests.testbed.processes import ROOT, until
from tests.testbed.signer_program import PROGRAM


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """One device. `lines` is what it printed, one JSON object each."""

    process: asyncio.subprocess.Process
    lines: list[dict[str, object]] = field(default_factory=list)

    @classmethod
    @contextlib.asynccontextmanager
    async def open(cls, port: int, folder: Path) -> AsyncIterator[Self]:
        """Plugged in, blind signing on; its person does nothing by themselves."""
        arguments = ("mock-device", "ledger", "--port", str(port), "--blind-signing", "--person", "ignore")
        with (folder / f"device-{port}.log").open("wb") as log:
            process = await asyncio.create_subprocess_exec(
                PROGRAM,
                *arguments,
                cwd=ROOT,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=log,
            )
        desk = cls(process=process)
        reading = asyncio.create_task(desk._read())
        try:
            await desk.until(lambda line: "listening" in line, 1)
            yield desk
        finally:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()
            reading.cancel()

    @property
    def reviews(self) -> int:
        """How many requests it has shown."""
        return sum(1 for line in self.lines if "review" in line)

    async def shows(self, number: int) -> list[str]:
        """The screens of its `number`th request, once it shows it."""
        await self.until(lambda line: "review" in line, number)
        screens = [line for line in self.lines if "review" in line][number - 1]["screens"]
        assert isinstance(screens, list)
        return [str(screen) for screen in screens]

    async def press(self, button: str) -> None:
        """`approve`, `reject`, `unplug`, `plug`, `open Ethereum` …; returns when it has happened."""
        pressed = sum(1 for line in self.lines if "did" in line)
        assert self.process.stdin is not None
        self.process.stdin.write(f"{button}\n".encode())
        await self.process.stdin.drain()
        await self.until(lambda line: "did" in line, pressed + 1)

    async def until(self, wanted: Callable[[dict[str, object]], bool], count: int) -> None:
        """Wait until so many lines are of this kind."""

        async def there() -> bool:
            return sum(1 for line in self.lines if wanted(line)) >= count

        await until(there, what=f"the device says it; it said {self.lines[-3:]}")

    async def _read(self) -> None:
        assert self.process.stdout is not None
        async for line in self.process.stdout:
            self.lines.append(json.loads(line))
