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
_ONE_MORE = ", (?, ?, ?, ?)"
_PUT = f"{_INSERT} ON CONFLICT DO UPDATE SET amount = excluded.amount, dated_at = excluded.dated_at"
_OF_TRANSACTION = "SELECT resource, amount, dated_at FROM charges WHERE transaction_id = ?"
_DELETE = "DELETE FROM charges WHERE transaction_id = ? RETURNING resource, amount, dated_at"
_SIGNED_OF_NONCE = """
SELECT id, kind, state, reverted, fee_paid_wei FROM transactions
WHERE account = ? AND nonce = ? AND state <> 'released' AND state <> 'reserved' ORDER BY seq
"""


def insert(work: Work, record: TransactionRecord, charges: Sequence[Charge]) -> None:
    """Charge a reservation. A count of transactions is a rate, so it ages from now; money is held."""
    if not charges:
        return
    id_, now = record.id, record.reserved_at
    counted = [(charge, now if charge.resource == TRANSACTIONS else None) for charge in charges]
    values = [value for charge, at in counted for value in (id_, charge.resource, str(charge.amount), at)]
    work.connection.execute(_INSERT + _ONE_MORE * (len(counted) - 1), values)

    def remember() -> None:
        for charge, at in counted:
            work.book.put(record.account, charge, at)

    work.afterwards(remember)


def remove(work: Work, record: TransactionRecord) -> None:
    """Give back everything that a reservation took."""
    removed = [_counted(*row) for row in work.connection.execute(_DELETE, (record.id,))]

    def forget() -> None:
        for was in removed:
            work.book.drop(record.account, was.charge, was.dated_at)

    work.afterwards(forget)


def reassess(work: Work, account: AccountId, nonce: int, now: UnixMs) -> None:
    """Bring the charges of a nonce in line with the states of its transactions."""
    signed = _signed_of(work, account, nonce)
    before = {transaction.id: _charges_of(work, transaction.id) for transaction in signed}
    included = all(transaction.state not in OPEN_STATES for transaction in signed) or any(
        transaction.state in {SlotState.MINED, SlotState.FINAL} for transaction in signed
    )
    for transaction, charges in _amounts(signed, before).items():
        known = {was.charge.resource: was for was in before[transaction]}
        for charge in charges:
            was = known.get(charge.resource)
            old_date = None if was is None else was.dated_at
            ages = included or charge.resource == TRANSACTIONS
            counted = _Counted(charge=charge, dated_at=(old_date or now) if ages else None)
            if counted != was:
                _put(work, account, transaction, was, counted)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Signed:
    id: TransactionId
    kind: TransactionKind
    state: SlotState
    reverted: bool
    fee_paid_wei: int


@dataclass(frozen=True, slots=True, kw_only=True)
class _Counted:
    """A charge as it counts: from its date on, or until further notice when it has none."""

    charge: Charge
    dated_at: UnixMs | None


def _amounts(signed: Sequence[_Signed], before: dict[TransactionId, tuple[_Counted, ...]]) -> NonceCharges:
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
    work: Work, account: AccountId, transaction: TransactionId, was: _Counted | None, counted: _Counted
) -> None:
    charge, date = counted.charge, counted.dated_at
    work.connection.execute(_PUT, (transaction, charge.resource, str(charge.amount), date))

    def recount() -> None:
        if was is not None:
            work.book.drop(account, was.charge, was.dated_at)
        work.book.put(account, charge, date)

    work.afterwards(recount)


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


def _charges_of(work: Work, transaction: TransactionId) -> tuple[_Counted, ...]:
    return tuple(_counted(*row) for row in work.connection.execute(_OF_TRANSACTION, (transaction,)))


def _counted(resource: str, amount: str, dated_at: int | None) -> _Counted:
    return _Counted(
        charge=Charge(resource=Resource(resource), amount=int(amount)),
        dated_at=None if dated_at is None else UnixMs(dated_at),
    )
