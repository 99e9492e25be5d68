"""The ledger against a simple model: whatever happens in whatever order, both agree on invariants 1 to 4.

The model counts windows to the millisecond; the ledger may count a charge up to one second longer (ADR 0014).
"""

import asyncio
import shutil
import sqlite3
import tempfile
from collections.abc import Coroutine
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from typing_extensions import override

from signer.adapters.sqlite import SqliteLedger
from signer.adapters.sqlite.book import load_book
from signer.domain.budget import FEE, TRANSACTIONS, Resource, RollingLimit
from signer.domain.chain import Receipt
from signer.domain.slots import SlotEvent, SlotState, TransactionKind
from signer.ports.ledger import AlreadyKnown, NotReplaceable, OverLimit, Reserved, SlotChange
from tests.fakes.clock import FakeClock
from tests.fakes.reservations import (
    ACCOUNT,
    DAY_S,
    HOUR_S,
    TOKEN_USE,
    key,
    payload_hash,
    reservation,
    signed,
    token_limit,
    transaction_id,
)
from tests.testbed.memory_disk import memory_disk

T = TypeVar("T")

FIRST_NONCE = 3
CAP = 1000
FEE_PAID = 4
PICK = st.integers(0, 3)
"""Which of the fitting transactions, from the newest."""
OPEN = {SlotState.SIGNED, SlotState.BROADCAST, SlotState.MINED}


@dataclass(slots=True, kw_only=True)
class Tx:
    """A transaction as the model knows it; `charges` maps resource to [amount, date or None]."""

    number: int
    nonce: int
    key: int
    kind: TransactionKind
    state: SlotState = SlotState.RESERVED
    charges: dict[Resource, tuple[int, int | None]] = field(default_factory=dict)


class LedgerMachine(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        # Some ten thousand commits: what a disk costs is not what is compared here.
        self.folder = Path(tempfile.mkdtemp(prefix="airlock-ledger-", dir=memory_disk()))
        self.clock = FakeClock()
        self.txs: list[Tx] = []
        self.number = 0
        self.ledger = self.run(self._open())

    def run(self, work: Coroutine[None, None, T]) -> T:
        return self.runner.run(work)

    async def _open(self) -> SqliteLedger:
        return await SqliteLedger(self.folder / "ledger.db", self.clock).__aenter__()

    @initialize()
    def open_account(self) -> None:
        self.run(self.ledger.open_account(ACCOUNT, FIRST_NONCE, self.clock.now()))
        for of_key in (0, 1):
            self.reserve(of_key, 100, capped=False, signs=True)

    # -- what a client does

    @rule(
        of_key=st.integers(0, 30),
        amount=st.sampled_from([0, 1, 100, 400]),
        capped=st.booleans(),
        signs=st.booleans(),
    )
    def reserve(self, of_key: int, amount: int, capped: bool, signs: bool) -> None:
        self.number += 1
        limits = (token_limit(CAP), token_limit(CAP, DAY_S)) if capped else ()
        wanted = reservation(
            self.number,
            self.clock.now(),
            idempotency_key=key(of_key),
            amount=amount,
            limits=limits,
        )
        outcome = self.run(self.ledger.reserve(wanted))
        known = [tx for tx in self._alive() if tx.key == of_key]
        if known:
            assert isinstance(outcome, AlreadyKnown)
            assert outcome.record.id == transaction_id(known[0].number)
        elif isinstance(outcome, OverLimit):
            assert capped
            assert amount > 0
            assert self._used(TOKEN_USE, DAY_S + 1) + amount > CAP
        else:
            assert isinstance(outcome, Reserved)
            assert not capped or amount == 0 or self._used(TOKEN_USE, DAY_S) + amount <= CAP
            assert outcome.record.nonce == self._lowest_free()
            self._add(of_key, outcome.record.nonce, TransactionKind.ORIGINAL, amount)
            if signs:
                self.sign(0)

    @precondition(lambda self: self._picked(0, OPEN) is not None)
    @rule(pick=PICK, cancel=st.booleans(), signs=st.booleans())
    def replace(self, pick: int, cancel: bool, signs: bool) -> None:
        target = self._picked(pick, OPEN)
        if target is None:
            return
        self.number += 1
        kind = TransactionKind.CANCELLATION if cancel else TransactionKind.REPLACEMENT
        wanted = reservation(
            self.number,
            self.clock.now(),
            idempotency_key=key(1000 + self.number),
            kind=kind,
            replaces=transaction_id(target.number),
            amount=7,
        )
        outcome = self.run(self.ledger.reserve(wanted))
        newest = [tx for tx in self._alive() if tx.nonce == target.nonce][-1]
        if newest is target and target.state in {SlotState.SIGNED, SlotState.BROADCAST}:
            assert isinstance(outcome, Reserved)
            assert outcome.record.nonce == target.nonce
            self._add(1000 + self.number, target.nonce, kind, 7)
            if signs:
                self.sign(0)
        else:
            assert isinstance(outcome, NotReplaceable)
            assert outcome.newest == transaction_id(newest.number)

    @precondition(lambda self: self._picked(0, {SlotState.RESERVED}) is not None)
    @rule(pick=PICK)
    def sign(self, pick: int) -> None:
        tx = self._picked(pick, {SlotState.RESERVED})
        if tx is None:
            return
        record = self.run(
            self.ledger.mark_signed(
                transaction_id(tx.number), signed(tx.number), payload_hash(tx.number), self.clock.now()
            )
        )
        tx.state = SlotState.SIGNED

        assert record.signed == signed(tx.number)

    @precondition(lambda self: self._picked(0, {SlotState.RESERVED}) is not None)
    @rule(pick=PICK)
    def release(self, pick: int) -> None:
        tx = self._picked(pick, {SlotState.RESERVED})
        if tx is not None:
            self.run(self.ledger.release(transaction_id(tx.number), self.clock.now()))
            self._released(tx)

    # -- what the chain does

    @precondition(lambda self: self._picked(0, OPEN) is not None)
    @rule(pick=PICK)
    def broadcast(self, pick: int) -> None:
        tx = self._picked(pick, OPEN)
        if tx is not None:
            self._apply([(tx, SlotEvent.BROADCAST_REPORTED)])
            tx.state = SlotState.BROADCAST if tx.state is SlotState.SIGNED else tx.state

    @precondition(lambda self: self._picked(0, {SlotState.SIGNED, SlotState.BROADCAST}) is not None)
    @rule(pick=PICK)
    def mine(self, pick: int) -> None:
        tx = self._picked(pick, {SlotState.SIGNED, SlotState.BROADCAST})
        # A chain includes a nonce once.
        included = {SlotState.MINED, SlotState.FINAL}
        if tx is not None and not any(one.state in included for one in self._signed(tx.nonce)):
            self._apply([(tx, SlotEvent.RECEIPT_SEEN)])
            tx.state = SlotState.MINED
            self._date(tx.nonce)

    @precondition(lambda self: self._picked(0, {SlotState.MINED}) is not None)
    @rule(pick=PICK)
    def reorganise(self, pick: int) -> None:
        tx = self._picked(pick, {SlotState.MINED})
        if tx is not None:
            self._apply([(tx, SlotEvent.REORGANISED_AWAY)])
            tx.state = SlotState.BROADCAST
            for one in self._signed(tx.nonce):
                for resource, (amount, _) in one.charges.items():
                    if resource != TRANSACTIONS:
                        one.charges[resource] = (amount, None)

    @precondition(lambda self: self._picked(0, OPEN) is not None)
    @rule(pick=PICK, reverted=st.booleans())
    def finalise(self, pick: int, reverted: bool) -> None:
        tx = self._picked(pick, OPEN)
        if tx is None or self._has_final(tx.nonce):
            return
        siblings = [one for one in self._signed(tx.nonce) if one is not tx and one.state in OPEN]
        is_stop = tx.kind is TransactionKind.CANCELLATION
        event = SlotEvent.CANCELLATION_FINAL if is_stop else SlotEvent.OTHER_HASH_FINAL
        self._apply([(tx, SlotEvent.RECEIPT_FINAL), *((one, event) for one in siblings)], reverted=reverted)
        tx.state = SlotState.FINAL
        for one in siblings:
            one.state = SlotState.CANCELLED if is_stop else SlotState.REPLACED
        for one in self._signed(tx.nonce):
            one.charges[FEE] = (FEE_PAID if one is tx else 0, one.charges[FEE][1])
            if reverted or is_stop:
                one.charges[TOKEN_USE] = (0, one.charges[TOKEN_USE][1])
        self._date(tx.nonce)

    @precondition(lambda self: self._picked(0, OPEN) is not None)
    @rule(pick=PICK)
    def lose_the_nonce_to_someone_else(self, pick: int) -> None:
        tx = self._picked(pick, OPEN)
        if tx is None or self._has_final(tx.nonce):
            return
        lost = [one for one in self._signed(tx.nonce) if one.state in OPEN]
        self._apply([(one, SlotEvent.OTHER_HASH_FINAL) for one in lost])
        for one in lost:
            one.state = SlotState.REPLACED
        for one in self._signed(tx.nonce):
            one.charges[TOKEN_USE] = (0, one.charges[TOKEN_USE][1])
        self._date(tx.nonce)

    # -- time and crashes

    @rule(
        seconds=st.sampled_from([0, 1, 59, 60, HOUR_S, DAY_S - 1, DAY_S]),
        ms=st.sampled_from([0, 1, 500, 999]),
    )
    def wait(self, seconds: int, ms: int) -> None:
        self.clock.set(self.clock.now() + seconds * 1000 + ms)

    @precondition(lambda self: self.txs)
    @rule()
    def restart(self) -> None:
        self.run(self.ledger.__aexit__(None, None, None))
        self.ledger = self.run(self._open())
        left = [tx for tx in self.txs if tx.state is SlotState.RESERVED]

        assert {record.id for record in self.ledger.released_at_start} == {
            transaction_id(tx.number) for tx in left
        }
        for tx in left:
            self._released(tx)

    # -- what always holds

    @invariant()
    def states_agree(self) -> None:
        for tx in self.txs:
            record = self.run(self.ledger.get(transaction_id(tx.number)))
            assert record is not None
            assert record.state is tx.state
            assert (record.signed is not None) == (tx.state not in {SlotState.RESERVED, SlotState.RELEASED})

    @invariant()
    def a_nonce_is_signed_once_or_by_what_replaces_it(self) -> None:
        connection = sqlite3.connect(self.folder / "ledger.db")
        rows = connection.execute(
            "SELECT t.nonce, t.kind, r.nonce FROM transactions AS t "
            "LEFT JOIN transactions AS r ON r.id = t.replaces WHERE t.raw IS NOT NULL"
        ).fetchall()
        connection.close()
        originals = [nonce for nonce, kind, _ in rows if kind == "original"]

        assert len(originals) == len(set(originals))
        assert all(nonce == replaced for nonce, kind, replaced in rows if kind != "original")

    @invariant()
    def nonces_are_contiguous(self) -> None:
        status = self.run(self.ledger.account(ACCOUNT))
        if status is None:
            return
        taken = {tx.nonce for tx in self._alive()}

        assert sorted([*taken, *status.free_nonces]) == list(range(FIRST_NONCE, status.next_nonce))

    @invariant()
    def budgets_agree(self) -> None:
        asked = [(TOKEN_USE, HOUR_S), (TOKEN_USE, DAY_S), (FEE, DAY_S), (TRANSACTIONS, 60)]
        limits = [RollingLimit(resource=resource, window_s=window, limit=1) for resource, window in asked]
        used = [use.used for use in self.run(self.ledger.usage(ACCOUNT, limits, self.clock.now()))]

        for (resource, window), amount in zip(asked, used, strict=True):
            assert self._used(resource, window) <= amount <= self._used(resource, window + 1)

    @invariant()
    def what_the_file_says_is_what_memory_says(self) -> None:
        limits = [
            RollingLimit(resource=resource, window_s=window, limit=1)
            for resource in (TOKEN_USE, FEE, TRANSACTIONS)
            for window in (1, 60, HOUR_S, DAY_S)
        ]
        now = self.clock.now()
        rebuilt = load_book(self.ledger._database.reader).usage(ACCOUNT, limits, now)

        assert rebuilt == self.ledger._store.work.book.usage(ACCOUNT, limits, now)

    @override
    def teardown(self) -> None:
        self.run(self.ledger.__aexit__(None, None, None))
        self.runner.close()
        shutil.rmtree(self.folder)

    # -- the model

    def _alive(self) -> list[Tx]:
        return [tx for tx in self.txs if tx.state is not SlotState.RELEASED]

    def _signed(self, nonce: int) -> list[Tx]:
        return [tx for tx in self._alive() if tx.nonce == nonce and tx.state is not SlotState.RESERVED]

    def _has_final(self, nonce: int) -> bool:
        return any(tx.state is SlotState.FINAL for tx in self._signed(nonce))

    def _lowest_free(self) -> int:
        taken = {tx.nonce for tx in self._alive()}
        return next(nonce for nonce in range(FIRST_NONCE, 10_000) if nonce not in taken)

    def _used(self, resource: Resource, window_s: int) -> int:
        floor = self.clock.now() - window_s * 1000
        return sum(
            amount
            for tx in self.txs
            for name, (amount, date) in tx.charges.items()
            if name == resource and (date is None or date > floor)
        )

    def _add(self, of_key: int, nonce: int, kind: TransactionKind, amount: int) -> None:
        charges: dict[Resource, tuple[int, int | None]] = {
            TOKEN_USE: (amount, None),
            FEE: (10, None),
            TRANSACTIONS: (1, self.clock.now()),
        }
        self.txs.append(Tx(number=self.number, nonce=nonce, key=of_key, kind=kind, charges=charges))

    def _released(self, tx: Tx) -> None:
        tx.state = SlotState.RELEASED
        tx.charges.clear()

    def _date(self, nonce: int) -> None:
        for tx in self._signed(nonce):
            for resource, (amount, date) in tx.charges.items():
                tx.charges[resource] = (amount, self.clock.now() if date is None else date)

    def _picked(self, pick: int, states: set[SlotState]) -> Tx | None:
        fitting = [tx for tx in self.txs if tx.state in states]
        return fitting[-1 - pick % len(fitting)] if fitting else None

    def _apply(self, changes: list[tuple[Tx, SlotEvent]], *, reverted: bool = False) -> None:
        wanted = [
            SlotChange(
                id=transaction_id(tx.number),
                event=event,
                receipt=Receipt(
                    transaction_hash=signed(tx.number).hash,
                    block_number=5,
                    block_hash="0x" + "05" * 32,
                    reverted=reverted,
                    fee_paid_wei=FEE_PAID,
                ),
            )
            for tx, event in changes
        ]
        self.run(self.ledger.apply(wanted, self.clock.now()))


LedgerMachine.TestCase.settings = settings(max_examples=100, stateful_step_count=40, deadline=None)
test_the_ledger_and_its_model_agree = LedgerMachine.TestCase
