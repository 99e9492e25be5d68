"""Outcomes: what chain or client said about transactions, all or nothing. Budget returns on proof only."""

from collections.abc import Sequence

from signer.adapters.sqlite import charges, rows
from signer.adapters.sqlite.work import Work
from signer.domain.accounts import AccountId
from signer.domain.chain import Receipt
from signer.domain.errors import NotFoundError
from signer.domain.records import TransactionRecord
from signer.domain.slots import SlotEvent, SlotState, advance
from signer.domain.time import UnixMs
from signer.ports.ledger import SlotChange

_SET_INCLUSION = (
    "UPDATE transactions SET block_number = ?, block_hash = ?, reverted = ?, fee_paid_wei = ? WHERE id = ?"
)
_WITH_RECEIPT = (SlotEvent.RECEIPT_SEEN, SlotEvent.RECEIPT_FINAL)


def apply(work: Work, changes: Sequence[SlotChange], now: UnixMs) -> None:
    """Raises NotFoundError for an unknown transaction, IllegalTransitionError for a step not in the table."""
    at = work.book.moment(now)
    touched: dict[tuple[AccountId, int], None] = {}  # in order, without repetition
    for change in changes:
        record = rows.by_id(work.connection, change.id)
        if record is None:
            raise NotFoundError(f"no transaction {change.id} to apply {change.event!r} to")
        state = advance(record.state, change.event)
        if state is not record.state:
            work.connection.execute("UPDATE transactions SET state = ? WHERE id = ?", (state, record.id))
            work.write_event(record.id, record.state, state, at)
        if change.event is not SlotEvent.BROADCAST_REPORTED:
            _write_inclusion(work, record, state, change)
            touched[record.account, record.nonce] = None
    for account, nonce in touched:
        charges.reassess(work, account, nonce, at)


def _write_inclusion(work: Work, record: TransactionRecord, state: SlotState, change: SlotChange) -> None:
    if change.event in _WITH_RECEIPT:
        receipt = _receipt_of(change)
        values = (
            receipt.block_number,
            receipt.block_hash,
            int(receipt.reverted),
            str(receipt.fee_paid_wei),
            record.id,
        )
        work.connection.execute(_SET_INCLUSION, values)
    elif record.state is SlotState.MINED and state is not SlotState.MINED:
        work.connection.execute(_SET_INCLUSION, (None, None, 0, None, record.id))


def _receipt_of(change: SlotChange) -> Receipt:
    if change.receipt is None:
        raise ValueError(f"{change.event!r} of {change.id} needs its receipt")
    return change.receipt
