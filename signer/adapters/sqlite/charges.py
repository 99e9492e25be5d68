"""Charges: held while the outcome is open, dated from inclusion, settled at finality."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from signer.adapters.sqlite.work import Work
from signer.domain.accounts import AccountId
from signer.domain.budget import TRANSACTIONS, Charge, Resource
from signer.domain.records import TransactionRecord
from signer.domain.settlement import NonceCharges, Winner, settle
from signer.domain.slots import OPEN_STATES, SlotState, TransactionKind
from signer.domain.time import UnixMs
from signer.domain.transactions import TransactionId

_INSERT = "INSERT INTO charges (transaction_id, resource, amount, dated_at) VALUES (?, ?, ?, ?)"
_PUT = f"{_INSERT} ON CONFLICT DO UPDATE SET amount = excluded.amount, dated_at = excluded.dated_at"
_SIGNED_OF_NONCE = """
SELECT id, kind, state, reverted, fee_paid_wei FROM transactions
WHERE account = ? AND nonce = ? AND state <> 'released' AND state <> 'reserved' ORDER BY seq
"""


def insert(work: Work, record: TransactionRecord, charges: Sequence[Charge]) -> None:
    """Charge a reservation. A count of transactions is a rate, so it ages from now; money is held."""
    dated = [(charge, record.reserved_at if charge.resource == TRANSACTIONS else None) for charge in charges]
    if not dated:
        return
    values = [value for charge, at in dated for value in (record.id, charge.resource, str(charge.amount), at)]
    work.connection.execute(f"{_INSERT}{', (?, ?, ?, ?)' * (len(dated) - 1)}", values)

    def remember() -> None:
        for charge, at in dated:
            work.book.put(record.account, record.id, charge, at)

    work.afterwards(remember)


def remove(work: Work, record: TransactionRecord) -> None:
    """Give back everything that a reservation took."""
    removed = work.connection.execute(
        "DELETE FROM charges WHERE transaction_id = ? RETURNING resource", (record.id,)
    ).fetchall()

    def forget() -> None:
        for (resource,) in removed:
            work.book.drop(record.account, record.id, Resource(resource))

    work.afterwards(forget)


def reassess(work: Work, account: AccountId, nonce: int, now: UnixMs) -> None:
    """Bring the charges of a nonce in line with the states of its transactions."""
    signed = _signed_of(work, account, nonce)
    before = {transaction.id: _charges_of(work, transaction.id) for transaction in signed}
    after = _amounts(signed, before)
    included = all(transaction.state not in OPEN_STATES for transaction in signed) or any(
        transaction.state in {SlotState.MINED, SlotState.FINAL} for transaction in signed
    )
    for transaction, charges in after.items():
        dates = {held.charge.resource: held.dated_at for held in before[transaction]}
        amounts = {held.charge.resource: held.charge.amount for held in before[transaction]}
        for charge in charges:
            was = dates.get(charge.resource)
            date = (was or now) if included or charge.resource == TRANSACTIONS else None
            if charge.amount != amounts.get(charge.resource) or date != was:
                _put(work, account, transaction, charge, date, keeps_date=date == was)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Signed:
    id: TransactionId
    kind: TransactionKind
    state: SlotState
    reverted: bool
    fee_paid_wei: int


@dataclass(frozen=True, slots=True, kw_only=True)
class _Held:
    charge: Charge
    dated_at: UnixMs | None


def _amounts(signed: Sequence[_Signed], before: dict[TransactionId, tuple[_Held, ...]]) -> NonceCharges:
    charges = {transaction: tuple(held.charge for held in rows) for transaction, rows in before.items()}
    for transaction in signed:
        if transaction.state is SlotState.FINAL:
            winner = Winner(
                id=transaction.id,
                kind=transaction.kind,
                reverted=transaction.reverted,
                fee_paid_wei=transaction.fee_paid_wei,
            )
            return settle(charges, winner)
    if any(transaction.state in OPEN_STATES for transaction in signed):
        return charges
    return settle(charges, None)


def _put(
    work: Work,
    account: AccountId,
    transaction: TransactionId,
    charge: Charge,
    date: UnixMs | None,
    *,
    keeps_date: bool,
) -> None:
    work.connection.execute(_PUT, (transaction, charge.resource, str(charge.amount), date))
    if date is not None and keeps_date:
        work.afterwards(lambda: work.book.revise(account, transaction, charge))
    else:
        work.afterwards(lambda: work.book.put(account, transaction, charge, date))


def _signed_of(work: Work, account: AccountId, nonce: int) -> Sequence[_Signed]:
    found: Iterable[tuple[str, str, str, int, str | None]] = work.connection.execute(
        _SIGNED_OF_NONCE, (account, nonce)
    )
    return tuple(
        _Signed(
            id=TransactionId(transaction),
            kind=TransactionKind(kind),
            state=SlotState(state),
            reverted=bool(reverted),
            fee_paid_wei=int(fee or 0),
        )
        for transaction, kind, state, reverted, fee in found
    )


def _charges_of(work: Work, transaction: TransactionId) -> tuple[_Held, ...]:
    found: Iterable[tuple[str, str, int | None]] = work.connection.execute(
        "SELECT resource, amount, dated_at FROM charges WHERE transaction_id = ?", (transaction,)
    )
    return tuple(
        _Held(
            charge=Charge(resource=Resource(resource), amount=int(amount)),
            dated_at=None if dated_at is None else UnixMs(dated_at),
        )
        for resource, amount, dated_at in found
    )
