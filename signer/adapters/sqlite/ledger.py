"""The ledger of signatures over SQLite. Every change is durable before it is answered, whole or not at all.

One file for each kind of change (`reserve`, `sign`, `release`, `outcomes`, `accounts`, `rotations`,
`guarded`); this one queues them.
"""

import asyncio
import sqlite3
from collections.abc import AsyncGenerator, Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar

from signer.adapters.group_commit import GroupCommit
from signer.adapters.shared_trail import SharedTrail
from signer.adapters.sqlite import accounts, guarded, outcomes, release, reserve, rotations, rows, sign
from signer.adapters.sqlite.database import Database, open_database
from signer.adapters.sqlite.key_filter import load_key_filter
from signer.adapters.sqlite.store import AnyUnit, LedgerStore, Unit
from signer.adapters.sqlite.subscribers import Subscribers
from signer.adapters.sqlite.work import Work
from signer.domain.accounts import AccountId
from signer.domain.budget import RollingLimit
from signer.domain.errors import UnavailableError
from signer.domain.events import Cursor, TransactionEvent
from signer.domain.policy_statement import GuardedPolicy
from signer.domain.reasons import FailReason
from signer.domain.records import TransactionRecord
from signer.domain.rotation import Rotation, RotationId
from signer.domain.time import UnixMs
from signer.domain.transactions import ClientName, IdempotencyKey, SignedBytes, TransactionId
from signer.ports.clock import Clock
from signer.ports.ledger import (
    AccountStatus,
    Decided,
    LimitUse,
    Reservation,
    Reserved,
    ReserveOutcome,
    SlotChange,
)

T = TypeVar("T")


class SqliteLedger:
    """Implements `signer.ports.ledger.Ledger` and `PolicyMemory`; an async context manager.

    Opening raises ConfigurationError for a file that another signer holds, that is damaged or of an unknown
    version, and PreconditionError(LEDGER_NEEDS_RECONCILE) for one that was restored or copied, unless
    `accept_restored` (ADR 0011).
    """

    def __init__(
        self,
        path: Path | None,
        clock: Clock,
        *,
        trail: SharedTrail | None = None,
        accept_restored: bool = False,
    ) -> None:
        self._path = path
        self._clock = clock
        self._trail = trail
        self._accept_restored = accept_restored
        self._released_at_start: tuple[TransactionRecord, ...] = ()

    @classmethod
    def in_memory(cls, clock: Clock, *, trail: SharedTrail | None = None) -> Self:
        """A ledger that ends with the process: the same code over SQLite's `:memory:`."""
        return cls(None, clock, trail=trail)

    async def __aenter__(self) -> Self:
        self._database = await asyncio.to_thread(self._open)
        self._subscribers = Subscribers(self._database.reader)
        self._store = LedgerStore(self._database, self._trail, self._subscribers.wake)
        self._group: GroupCommit[AnyUnit] = GroupCommit(
            self._store, name="ledger", unavailable=FailReason.LEDGER_UNAVAILABLE
        )
        self._group.start()
        try:
            self._keys = await asyncio.to_thread(load_key_filter, self._database.reader)
            # Nobody was told about a RESERVED slot: its signature is answered only once SIGNED is durable.
            now = self._clock.now()
            self._released_at_start = await self._do(lambda work: release.release_all_reserved(work, now))
        except BaseException:
            await self._close()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._close()

    @property
    def released_at_start(self) -> Sequence[TransactionRecord]:
        """Transactions that a crash left RESERVED and that opening released."""
        return self._released_at_start

    async def open_account(self, account: AccountId, first_nonce: int, now: UnixMs) -> AccountStatus:
        """Make the account known, beginning at the chain's transaction count."""
        return await self._do(lambda work: accounts.open_account(work, account, first_nonce, now))

    async def account(self, account: AccountId) -> AccountStatus | None:
        """Status of an account, or None when it was never opened."""
        with self._reading() as reader:
            return rows.account_status(reader, account)

    async def pause(self, account: AccountId, reason: str, now: UnixMs) -> None:
        """Stop signing for the account; survives a restart."""
        await self._do(lambda work: accounts.pause(work, account, reason, now))

    async def resume(self, account: AccountId, now: UnixMs) -> None:
        """Let the account sign again."""
        await self._do(lambda work: accounts.resume(work, account, now))

    async def take_over_nonce(self, account: AccountId, nonce: int, now: UnixMs) -> None:
        """Let the next nonce be `nonce` (operator's reconciliation)."""
        await self._do(lambda work: accounts.take_over_nonce(work, account, nonce, now))

    async def catch_up(self, account: AccountId, count: int, now: UnixMs) -> None:
        """Hand out no nonce below the chain's count."""
        await self._do(lambda work: accounts.catch_up(work, account, count, now))

    async def rotations(self) -> Sequence[Rotation]:
        """Every rotation, in the order in which they began."""
        with self._reading() as reader:
            return rotations.read_all(reader)

    async def begin_rotation(
        self, old: AccountId, new: AccountId, first_nonce: int, now: UnixMs, *, emergency: bool
    ) -> Rotation:
        """Let `old` drain into `new`; doing it again changes nothing but its urgency."""
        return await self._do(
            lambda work: rotations.begin(work, old, new, first_nonce, now, emergency=emergency)
        )

    async def finish_rotation(self, rotation: RotationId, dust: str, now: UnixMs) -> Rotation:
        """Retire the old account for ever."""
        return await self._do(lambda work: rotations.finish(work, rotation, dust, now))

    async def turn_rotation_back(self, rotation: RotationId, now: UnixMs) -> Rotation:
        """Let the old account trade again and drain the new one into it."""
        return await self._do(lambda work: rotations.turn_back(work, rotation, now))

    async def guarded_policy(self) -> GuardedPolicy | None:
        """Newest policy that came into force under a guardian."""
        with self._reading() as reader:
            return guarded.newest(reader)

    async def remember_policy(self, policy: GuardedPolicy, now: UnixMs) -> None:
        """Remember it as the newest; never an older one."""
        await self._do(lambda work: guarded.remember(work, policy, now))

    async def find(self, client: ClientName, key: IdempotencyKey) -> TransactionRecord | None:
        """Transaction that this client asked for under this key and that was not released."""
        if not self._keys.may_have(client, key):
            return None
        with self._reading() as reader:
            return rows.by_key(reader, client, key)

    async def get(self, transaction: TransactionId) -> TransactionRecord | None:
        """Transaction by its id."""
        with self._reading() as reader:
            return rows.by_id(reader, transaction)

    async def unsettled(self, account: AccountId, *, below: int) -> Sequence[TransactionRecord]:
        """Transactions that the chain may have something new about, by nonce, then by time of signing."""
        with self._reading() as reader:
            return rows.unsettled(reader, account, below)

    async def reserve(self, reservation: Reservation, decided: Decided | None = None) -> ReserveOutcome:
        """Take the lowest free nonce and the budget in one durable transaction, or say why not.

        What `decided` says of the slot is durable in the trail with it; without it, nothing is said.
        """
        self._keys.add(reservation.client, reservation.idempotency_key)
        return await self._do(lambda work: self._reserve(work, reservation, decided))

    async def mark_signed(
        self, transaction: TransactionId, signed: SignedBytes, payload_hash: str, now: UnixMs
    ) -> TransactionRecord:
        """Make the signature durable. The same signature twice is the same answer."""
        return await self._do(lambda work: sign.mark_signed(work, transaction, signed, payload_hash, now))

    async def release(self, transaction: TransactionId, now: UnixMs) -> None:
        """The signature never left: give nonce, budget and idempotency key back."""
        await self._do(lambda work: release.release(work, transaction, now))

    async def apply(self, changes: Sequence[SlotChange], now: UnixMs) -> None:
        """Record what the chain or the client said, all or nothing."""
        await self._do(lambda work: outcomes.apply(work, changes, now))

    async def usage(
        self, account: AccountId, limits: Sequence[RollingLimit], now: UnixMs
    ) -> Sequence[LimitUse]:
        """Use of the given limits, reservations on their way to the disk included."""
        self._store.ensure_fresh()
        book = self._store.work.book
        used = book.usage(account, limits, book.moment(now))
        return tuple(LimitUse(limit=limit, used=used[limit.resource, limit.window_s]) for limit in limits)

    def events(self, after: Cursor | None) -> AsyncGenerator[TransactionEvent, None]:
        """Life-cycle changes after the cursor, until the ledger closes; None begins with the next one."""
        with self._reading():
            return self._subscribers.follow(after)

    async def _do(self, work: Callable[[Work], T]) -> T:
        # A cancelled caller cancels only its future: the unit is queued, runs, and resolves nobody.
        future: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._group.add(Unit(work, future))
        return await future

    def _reserve(self, work: Work, wanted: Reservation, decided: Decided | None) -> ReserveOutcome:
        if decided is not None and self._trail is not None:
            self._trail.check()
        outcome = reserve.reserve(work, wanted)
        if decided is not None and isinstance(outcome, Reserved):
            work.decided(decided(outcome.record))
        return outcome

    @contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection]:
        try:
            yield self._database.reader
        except sqlite3.Error as error:
            raise UnavailableError(
                FailReason.LEDGER_UNAVAILABLE, f"the ledger {self._database.name} could not be read: {error}"
            ) from error

    def _open(self) -> Database:
        return open_database(self._path, self._clock.now(), accept_restored=self._accept_restored)

    async def _close(self) -> None:
        await self._group.close()
        self._subscribers.close()
        self._database.close()
