"""Both programs over one bed: their files, their starts, a price that moves. Refuses to mock anything."""

import asyncio
import contextlib
import itertools
import subprocess
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from tests.testbed.bed import Bed
from tests.testbed.postgres import PostgresServer
from tests.testbed.price_mover import PriceMover
from tests.testbed.processes import ROOT, Child, until
from tests.testbed.signer_program import PROGRAM as SIGNER
from tests.testbed.signer_program import PolicyFigures, SignerFiles, serving, signer_program
from tests.testbed.trader_program import Momentum, TraderFiles, trader_program
from tests.testbed.uniswap import ETHER, USDX_UNIT, UniswapState

BLOCK_TIME_S = 0.1
FUNDS_USDX = 50_000 * USDX_UNIT
DEADLINE_MS, LEASE_MS, REQUEST_TIMEOUT_MS = 1_500, 3_000, 1_000

# A move of the tide is a signal, and two moves are less than the signer's tolerance for slippage.
TIDE_BPS = (12, 12, 12, -12, -12, -12)
_EAGER = {"window": 2, "threshold_bps": 8, "cooldown_ms": 0}
QUICK = (
    Momentum(symbol="ABC", venue="uniswap_v2", sell_amount=200 * ETHER, **_EAGER),
    Momentum(symbol="WETH", venue="uniswap_v3", sell_amount=ETHER // 8, **_EAGER),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """`async with Scene.open(...)`; the programs are started by the test, with `serve` and `trade`."""

    folder: Path
    bed: Bed
    signer: SignerFiles
    movers: Sequence[PriceMover]
    _preparing: list[asyncio.Task[None]] = field(default_factory=list)

    @classmethod
    @contextlib.asynccontextmanager
    async def open(
        cls,
        stage: "Stage",
        folder: Path,
        *,
        figures: PolicyFigures | None = None,
        limits: Mapping[str, int] | None = None,
        block_time_s: float | None = BLOCK_TIME_S,
    ) -> AsyncIterator[Self]:
        """A bed and written files; `limits` are lines of the [limits] table of signer.toml."""
        start = Bed.start(state=stage.uniswap, postgres=stage.postgres, block_time_s=block_time_s)
        async with start as bed:
            signer = SignerFiles(
                folder=folder / "signer",
                world=bed.world,
                rpc_url=bed.signer_rpc_url,
                figures=figures or PolicyFigures(),
            ).write()
            lines = "".join(f"{key} = {value}\n" for key, value in (limits or {}).items())
            signer.settings.write_text(f"{signer.settings.read_text()}\n[limits]\n{lines}")
            movers = [bed.mover(symbol) for symbol in ("ABC", "WETH")]
            scene = cls(folder=folder, bed=bed, signer=signer, movers=movers)
            try:
                yield scene
            finally:
                await _cancel(scene._preparing)

    @contextlib.asynccontextmanager
    async def serve(self) -> AsyncIterator[Child]:
        """The signer, serving."""
        async with signer_program(self.signer) as child:
            await serving(self.signer, child)
            yield child

    def trader(self, name: str = "trader", **engine: int) -> TraderFiles:
        """Files of a trader that trades at every move; `engine` are lines of its [engine] table."""
        files = TraderFiles(
            folder=self.folder / name,
            signer=self.signer,
            world=self.bed.world,
            rpc_url=self.bed.rpc_url,
            dsn=self.bed.dsn,
            strategies=QUICK,
        ).write()
        lines = "".join(f"{key} = {value}\n" for key, value in {"lease_ms": LEASE_MS, **engine}.items())
        text = files.settings.read_text()
        text = text.replace("[engine]\n", f"[engine]\n{lines}")
        text = text.replace("[chain]\n", f"[chain]\nrequest_timeout_ms = {REQUEST_TIMEOUT_MS}\n")
        text = text.replace("[signer]\n", f"[signer]\ndeadline_ms = {DEADLINE_MS}\n")
        files.settings.write_text(text)
        return files

    @contextlib.asynccontextmanager
    async def trade(self, files: TraderFiles, *, live: bool = True) -> AsyncIterator[Child]:
        """The trader, past its start. The wallet must have been funded."""
        async with trader_program(files, live=live) as child:
            await started(child)
            yield child

    async def fund(self) -> None:
        """Give the wallet what it trades with; meanwhile those who move the price get ready."""
        self._preparing.append(asyncio.create_task(self._move(0)))
        await self.bed.fund(self.signer.address, "USDX", FUNDS_USDX)

    @contextlib.asynccontextmanager
    async def tide(self) -> AsyncIterator[None]:
        """Both prices go up and down until the end of the block; the last move is mined by then."""
        await asyncio.gather(*self._preparing)
        ebb = asyncio.Event()
        task = asyncio.create_task(self._rise_and_fall(ebb))
        try:
            yield
        finally:
            ebb.set()
            await task

    async def _rise_and_fall(self, ebb: asyncio.Event) -> None:
        for bps in itertools.cycle(TIDE_BPS):
            if ebb.is_set():
                return
            await self._move(bps)

    async def _move(self, bps: int) -> None:
        # One after the other: both movers send from one account, and anvil gives two at once one nonce.
        for mover in self.movers:
            await mover.move(bps)


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """What all scenes share: Uniswap to be laid over a chain, and a PostgreSQL server."""

    uniswap: UniswapState
    postgres: PostgresServer


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """A command that has ended."""

    code: int
    out: str
    err: str = field(repr=True)


async def operator(files: SignerFiles, command: str, *arguments: str) -> Ended:
    """`airlock-signer COMMAND` with the admin certificate."""
    where = ("--address", f"127.0.0.1:{files.admin_port}", "--pki", str(files.pki), "--json")
    return await command_line(SIGNER, command, *where, *arguments)


async def command_line(*argv: str) -> Ended:
    """Run a program to its end."""
    done = await asyncio.to_thread(
        subprocess.run, argv, cwd=ROOT, capture_output=True, text=True, check=False, timeout=60
    )
    return Ended(code=done.returncode, out=done.stdout, err=done.stderr)


async def started(trader: Child) -> None:
    """Wait until the trader trades. Raises with its log when it ended instead."""
    await said(trader, '"event": "trader.started"')


async def said(program: Child, text: str, *, timeout_s: float = 60) -> None:
    """Wait until the log of a running program, which keeps what earlier lives wrote, has `text`."""

    async def has_it() -> bool:
        if text in program.log():
            return True
        if program.returncode is not None:
            raise AssertionError(f"ended with {program.returncode} before {text!r}:\n{program.log()[-3000:]}")
        return False

    await until(has_it, what=f"the program says {text}", timeout_s=timeout_s)


async def _cancel(tasks: Sequence[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
