"""A process that uses a ledger and its trail until it is killed. Says on stdout what it has been told.

Arguments: ledger file, seed, and optionally a point at which it kills itself, such as `after:mark:5`: before
or after the flush of the nth operation of a kind, or within it, between the trail and the COMMIT.
"""

import asyncio
import os
import random
import signal
import sys
from pathlib import Path

from signer.adapters.audit_file import AuditFile
from signer.adapters.sqlite import SqliteLedger
from signer.adapters.system_clock import SystemClock
from signer.domain.slots import SlotEvent
from signer.domain.transactions import TransactionId
from signer.ports.ledger import Reserved, SlotChange
from tests.fakes.reservations import ACCOUNT, decided, key, payload_hash, reservation, signed, trail_of

WORKERS = 6


def say(*words: str | int) -> None:
    # One small write to a pipe is atomic: what the parent reads was acknowledged, whole.
    os.write(1, (" ".join(map(str, words)) + "\n").encode())


class KillPoint:
    """Kills this process before, within or after the flush of the nth operation of a kind."""

    def __init__(self, ledger: SqliteLedger, point: str) -> None:
        self._when, self._kind, nth = point.split(":")
        self._left = int(nth)
        self._store = ledger._store
        self._flush = self._store.flush
        self.kind = ""
        self._store.flush = self._flush_or_die  # type: ignore[method-assign]  # the scripted crash

    def _flush_or_die(self) -> None:
        counts = self.kind == self._kind
        self._left -= counts
        ends = counts and self._left == 0
        if ends and self._when == "within":
            assert self._store._lines is not None
            self._store._lines.flush()
        elif not ends or self._when == "after":
            self._flush()
        if ends:
            os.kill(os.getpid(), signal.SIGKILL)


async def use(ledger: SqliteLedger, rng: random.Random, kill: KillPoint | None) -> None:
    clock = SystemClock()

    def doing(kind: str) -> None:
        if kill is not None:
            kill.kind = kind

    while True:
        number = rng.getrandbits(60)
        doing("reserve")
        outcome = await ledger.reserve(reservation(number, clock.now()), decided)
        assert isinstance(outcome, Reserved)
        identity: TransactionId = outcome.record.id
        say("reserved", number, outcome.record.nonce)
        if rng.random() < 0.2:
            doing("release")
            await ledger.release(identity, clock.now())
            say("released", number)
            continue
        doing("mark")
        record = await ledger.mark_signed(identity, signed(number), payload_hash(number), clock.now())
        assert record.signed is not None
        say("signed", number, record.nonce, record.signed.raw.hex(), key(number))
        if rng.random() < 0.3:
            doing("broadcast")
            await ledger.apply([SlotChange(id=identity, event=SlotEvent.BROADCAST_REPORTED)], clock.now())
            say("broadcast", number)


async def main() -> None:
    path, seed, *point = sys.argv[1:]
    clock = SystemClock()
    async with (
        AuditFile(trail_of(Path(path)), clock) as trail,
        SqliteLedger(Path(path), clock, trail=trail) as ledger,
    ):
        await ledger.open_account(ACCOUNT, 0, clock.now())
        kill = KillPoint(ledger, point[0]) if point else None
        say("ready")
        workers = 1 if point else WORKERS
        await asyncio.gather(*(use(ledger, random.Random(f"{seed}/{n}"), kill) for n in range(workers)))


if __name__ == "__main__":
    asyncio.run(main())
