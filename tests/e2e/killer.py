"""Kills a program whenever it has made something new durable, and starts it again; once for each step.

The steps are read from what the program wrote: the signer's ledger, the trader's database.
"""

import asyncio
import contextlib
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import asyncpg

from signer.domain.rotation import ROTATION_CLIENT
from tests.testbed.processes import Child
from tests.testbed.signer_program import SignerFiles

Steps = Callable[[], Awaitable[set[str]]]
_LOOK_EVERY_S = 0.003
_TRANSFER, _APPROVE = bytes.fromhex("a9059cbb"), bytes.fromhex("095ea7b3")


class Killer:
    """One program and its steps. `steps` is every step at which it was killed, in order."""

    def __init__(self, program: Child, look: Steps, start: Callable[[], Awaitable[None]]) -> None:
        self._program, self._look, self._start = program, look, start
        self._known: set[str] = set()
        self.steps: list[str] = []

    @asynccontextmanager
    async def at_work(self) -> AsyncIterator[None]:
        """From now on, not counting what was done before; ends with a program that runs."""
        self._known = await self._look()
        over = asyncio.Event()
        task = asyncio.create_task(self._watch(over))
        try:
            yield
        finally:
            over.set()
            await task

    async def _watch(self, over: asyncio.Event) -> None:
        while not over.is_set():
            new = await self._look() - self._known
            if not new:
                await asyncio.sleep(_LOOK_EVERY_S)
                continue
            self._program.kill()
            self.steps.append("+".join(sorted(new)))
            self._known |= new
            await self._start()


async def signer_steps(files: SignerFiles) -> set[str]:
    """States of accounts, of the rotation, and of each of its transactions, by what it does."""
    return await asyncio.to_thread(_signer_steps, files)


def _signer_steps(files: SignerFiles) -> set[str]:
    names = {
        address: symbol for symbol in ("USDX", "WETH", "ABC") for address in (files.world.token(symbol),)
    }
    with contextlib.closing(sqlite3.connect(f"file:{files.ledger}?mode=ro", uri=True)) as ledger:
        accounts = ledger.execute("SELECT account, state FROM accounts").fetchall()
        rotations = ledger.execute("SELECT state FROM rotations").fetchall()
        sent = ledger.execute(
            "SELECT recipient, substr(data, 1, 4), state FROM transactions WHERE client = ?",
            (ROTATION_CLIENT,),
        ).fetchall()
    return {
        *(f"account {'old' if account == files.account else 'new'} {state}" for account, state in accounts),
        *(f"rotation {state}" for (state,) in rotations),
        *(f"{_KINDS.get(call, 'send')} {names.get(to.lower(), 'ETH')} {state}" for to, call, state in sent),
    }


_KINDS = {_TRANSFER: "sweep", _APPROVE: "revoke"}


async def trader_steps(connection: "asyncpg.Connection[asyncpg.Record]", old: str) -> set[str]:
    """The move of the books, and the successor's first order and first settled one."""
    wallets = await connection.fetch("SELECT id, draining, successor FROM wallets")
    moves = await connection.fetch("SELECT booked_at FROM moves")
    orders = await connection.fetch(
        "SELECT DISTINCT state = 'settled' AS settled FROM orders WHERE wallet <> $1", old
    )
    return {
        *(f"wallet {'old' if row['id'] == old else 'new'} opened" for row in wallets),
        *(f"draining {row['draining']}" for row in wallets if row["id"] == old),
        *(f"succeeded {row['successor'] is not None}" for row in wallets if row["id"] == old),
        *(f"move {'begun' if row['booked_at'] is None else 'booked'}" for row in moves),
        *(f"order of the successor {'settled' if row['settled'] else 'begun'}" for row in orders),
    }
