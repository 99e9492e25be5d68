"""The signing path, 1, 4 and 32 in flight, beside the bare echo; the signer's memory over 20,000 requests."""

import itertools
import os
import statistics
import sys
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import grpc.aio
import psutil

from protos.airlock.signer.v1 import signer_pb2 as pb
from tests.bench.echo_server import METHOD
from tests.bench.load import Load, closed_loop
from tests.e2e.asking import swap
from tests.testbed.anvil import Anvil
from tests.testbed.processes import Child, free_port, until
from tests.testbed.signer_program import (
    PolicyFigures,
    SignerFiles,
    channel,
    serving,
    signer_program,
)
from tests.testbed.uniswap import ETHER, USDX_UNIT, UniswapState

SIGN = "/airlock.signer.v1.Signer/SignEvmTransaction"
STARTS = 3  # a process has luck with its place in the machine, or has not
ROUNDS = 15  # of each start; short ones: both halves of a pair see the same machine
REQUESTS_1, REQUESTS_4, REQUESTS_32 = 170, 160, 1_000
WARM_UP = 5_000
SOAK_REQUESTS = 20_000
ECHOED_BYTES = 750  # as many as a signing request has


@dataclass(frozen=True, slots=True, kw_only=True)
class SigningFigures:
    """Medians of all rounds, in which echo and signing take turns; the memory is that of the first start."""

    echo_1: Load
    echo_32: Load
    sign_1: Load
    sign_4: Load
    sign_32: Load
    sign_ratio_32: float  # median of the rounds, each beside the echo just before it
    rss_mb_at_start: float
    rss_mb_at_end: float


async def measure_signing(state: UniswapState, folder: Path) -> SigningFigures:
    """Start the signer on a chain of its own, and the echo beside it with the same certificates; again."""
    starts = [await _start(state, folder / str(number), soak=number == 0) for number in range(STARTS)]
    rows = [row for start in starts for row in start.rows]
    echo_1, sign_1, sign_4, echo_32, sign_32 = (_median(loads) for loads in zip(*rows, strict=True))
    return SigningFigures(
        echo_1=echo_1,
        echo_32=echo_32,
        sign_1=sign_1,
        sign_4=sign_4,
        sign_32=sign_32,
        sign_ratio_32=statistics.median(sign.per_s / echo.per_s for *_, echo, sign in rows),
        rss_mb_at_start=starts[0].rss_mb_at_start,
        rss_mb_at_end=starts[0].rss_mb_at_end,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Start:
    """Rounds of echo and signing, 1 in flight, signing with 4, both with 32; memory before and after all."""

    rows: Sequence[tuple[Load, Load, Load, Load, Load]]
    rss_mb_at_start: float
    rss_mb_at_end: float


async def _start(state: UniswapState, folder: Path, *, soak: bool) -> _Start:
    async with Anvil() as anvil:
        await anvil.load_state(state.dump)
        await anvil.mine(3)
        files = SignerFiles(folder=folder, world=state.world, rpc_url=anvil.url, figures=generous()).write()
        echo_port = free_port()
        echo = Child(
            [sys.executable, "-m", "tests.bench.echo_server", str(files.pki), str(echo_port)],
            log=folder / "echo.log",
        )
        async with signer_program(files) as signer, echo:
            await serving(files, signer)
            return await _turns(files, signer, echo_port, anvil, soak=soak)


async def _turns(files: SignerFiles, signer: Child, echo_port: int, anvil: Anvil, *, soak: bool) -> _Start:
    process = psutil.Process(signer.pid)
    rows: list[tuple[Load, Load, Load, Load, Load]] = []
    async with channel(files) as signing, channel(files, port=echo_port) as echoing:
        say: grpc.aio.UnaryUnaryMultiCallable[bytes, bytes] = echoing.unary_unary(METHOD)
        payload = bytes(ECHOED_BYTES)

        async def ready() -> bool:
            await echoing.channel_ready()
            return True

        await until(ready, what="the echo answers")

        async def echo() -> None:
            await say(payload)

        sign = signing_question(files, signing)
        # Long enough for SQLite's page caches to fill: what grows after that would grow for ever.
        await closed_loop(sign, in_flight=32, requests=WARM_UP)
        await closed_loop(echo, in_flight=32, requests=200)
        before = process.memory_info().rss
        for _ in range(ROUNDS):
            await anvil.mine(1)
            rows.append(
                (
                    await closed_loop(echo, in_flight=1, requests=REQUESTS_1),
                    await closed_loop(sign, in_flight=1, requests=REQUESTS_1),
                    await closed_loop(sign, in_flight=4, requests=REQUESTS_4),
                    await closed_loop(echo, in_flight=32, requests=REQUESTS_32),
                    await closed_loop(sign, in_flight=32, requests=REQUESTS_32),
                )
            )
        left = SOAK_REQUESTS - ROUNDS * (REQUESTS_1 + REQUESTS_4 + REQUESTS_32)
        if soak and left > 0:
            await anvil.mine(1)
            await closed_loop(sign, in_flight=32, requests=left)
        after = process.memory_info().rss
    return _Start(rows=rows, rss_mb_at_start=before / 1e6, rss_mb_at_end=after / 1e6)


def signing_question(files: SignerFiles, connection: grpc.aio.Channel) -> Callable[[], Awaitable[object]]:
    """Ask for a signature on a small v2 swap, each time under a key of its own.

    As bytes, like the echo, and encoded once a second: the client's work is not what is measured.
    """
    numbers = itertools.count()
    sign: grpc.aio.UnaryUnaryMultiCallable[bytes, bytes] = connection.unary_unary(SIGN)

    @lru_cache(maxsize=1)
    def swap_of(_second: int) -> bytes:
        return swap(files, "replaced").SerializeToString()

    async def ask() -> None:
        key = f"bench-{files.address[-6:]}-{os.getpid()}-{next(numbers):012d}"
        # Two encoded messages one after the other are one: of a field that both have, the last counts.
        keyed = pb.SignEvmTransactionRequest(idempotency_key=key).SerializeToString()
        await sign(swap_of(int(time.time())) + keyed)

    return ask


def generous() -> PolicyFigures:
    """Every rule is asked; only the figures leave room for the load."""
    return PolicyFigures(
        usdx_per_trade=USDX_UNIT,
        usdx_per_hour=10**15 * USDX_UNIT,
        usdx_per_day=10**15 * USDX_UNIT,
        transactions_per_minute=1_000_000,
        max_price_age_s=600,
        fee_per_day_wei=10**9 * ETHER,
    )


def _median(loads: tuple[Load, ...]) -> Load:
    return sorted(loads, key=lambda load: load.per_s)[len(loads) // 2]
