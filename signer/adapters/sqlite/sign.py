"""Mark signed: the signature becomes durable before it may leave. Refuses a second payload for a nonce."""

from signer.adapters.sqlite import rows
from signer.adapters.sqlite.work import Work
from signer.domain.errors import BrokenError, NotFoundError
from signer.domain.reasons import FailReason
from signer.domain.records import TransactionRecord
from signer.domain.slots import SlotEvent, SlotState, TransactionKind, advance
from signer.domain.time import UnixMs
from signer.domain.transactions import SignedBytes, TransactionId

_OTHER_PAYLOAD = """
SELECT id FROM transactions
WHERE account = ? AND nonce = ? AND state <> 'released' AND raw IS NOT NULL AND payload_hash <> ? LIMIT 1
"""
_UPDATE = "UPDATE transactions SET state = ?, payload_hash = ?, raw = ?, hash = ?, signed_at = ? WHERE id = ?"
_SIGNED = advance(SlotState.RESERVED, SlotEvent.SIGNATURE_DURABLE)
# The usual case in one statement. An original needs no look at others: the unique index lets there be one
# for its nonce, and a replacement can only name one that is signed.
_SIGN_ORIGINAL = f"{_UPDATE} AND state = 'reserved' AND kind = 'original'"


def mark_signed(
    work: Work, transaction: TransactionId, signed: SignedBytes, payload_hash: str, now: UnixMs
) -> TransactionRecord:
    """Raises BrokenError for a second payload, NotFoundError for an unknown transaction."""
    at = work.book.moment(now)
    values = (_SIGNED.value, payload_hash, signed.raw, signed.hash, at, transaction)
    reserved = work.reserved.get(transaction)
    work.forget_reserved(transaction)
    if reserved is not None and work.connection.execute(_SIGN_ORIGINAL, values).rowcount == 1:
        work.write_event(transaction, SlotState.RESERVED, _SIGNED, at)
        return reserved.as_signed(signed, payload_hash, at)
    record = rows.by_id(work.connection, transaction)
    if record is None:
        raise NotFoundError(f"no transaction {transaction} to mark signed")
    if record.signed == signed and record.payload_hash == payload_hash:
        return record
    _check_only_payload(work, record, payload_hash)
    state = advance(record.state, SlotEvent.SIGNATURE_DURABLE)
    work.connection.execute(_UPDATE, (state.value, *values[1:]))
    work.write_event(transaction, record.state, state, at)
    return record.as_signed(signed, payload_hash, at)


def _check_only_payload(work: Work, record: TransactionRecord, payload_hash: str) -> None:
    # A replacement or cancellation may differ; the schema makes sure that it names a transaction of the
    # same nonce.
    if record.state is SlotState.RESERVED and record.kind is not TransactionKind.ORIGINAL:
        return
    other = work.connection.execute(_OTHER_PAYLOAD, (record.account, record.nonce, payload_hash)).fetchone()
    if other is not None:
        raise BrokenError(
            FailReason.BROKEN,
            f"nonce {record.nonce} of {record.account} was signed with another payload by {other[0]}",
        )
