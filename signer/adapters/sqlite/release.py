"""Release: a signature that never left gives back nonce, budget and key. Never releases a signed one."""

from collections.abc import Sequence

from signer.adapters.sqlite import charges, rows
from signer.adapters.sqlite.work import Work
from signer.domain.accounts import AccountId
from signer.domain.errors import NotFoundError
from signer.domain.records import TransactionRecord
from signer.domain.slots import SlotEvent, TransactionKind, advance
from signer.domain.time import UnixMs
from signer.domain.transactions import TransactionId


def release(work: Work, transaction: TransactionId, now: UnixMs) -> None:
    """Raises NotFoundError for an unknown transaction, IllegalTransitionError unless it is RESERVED."""
    record = rows.by_id(work.connection, transaction)
    if record is None:
        raise NotFoundError(f"no transaction {transaction} to release")
    _release(work, record, now)


def release_all_reserved(work: Work, now: UnixMs) -> tuple[TransactionRecord, ...]:
    """Release what a crash left RESERVED; returns the transactions as they were."""
    left: Sequence[TransactionRecord] = rows.reserved(work.connection)
    for record in left:
        _release(work, record, now)
    return tuple(left)


def _release(work: Work, record: TransactionRecord, now: UnixMs) -> None:
    at = work.book.moment(now)
    state = advance(record.state, SlotEvent.SIGNATURE_NEVER_LEFT)
    work.connection.execute("UPDATE transactions SET state = ? WHERE id = ?", (state, record.id))
    work.write_event(record.id, record.state, state, at)
    charges.remove(work, record)
    work.forget_reserved(record.id)
    # The nonce of a replacement belongs to the transaction that it would have replaced.
    if record.kind is TransactionKind.ORIGINAL:
        _free_nonce(work, record.account, record.nonce)


def _free_nonce(work: Work, account: AccountId, nonce: int) -> None:
    execute = work.connection.execute
    (next_nonce,) = execute("SELECT next_nonce FROM accounts WHERE account = ?", (account,)).fetchone()
    execute("INSERT INTO free_nonces (account, nonce) VALUES (?, ?)", (account, nonce))
    # Free nonces at the very end are simply not taken yet.
    top = next_nonce
    while execute("DELETE FROM free_nonces WHERE account = ? AND nonce = ?", (account, top - 1)).rowcount:
        top -= 1
    if top != next_nonce:
        execute("UPDATE accounts SET next_nonce = ? WHERE account = ?", (top, account))
