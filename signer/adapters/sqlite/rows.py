"""Rows to values. Reads only; every reader of the transactions table goes through here."""

import sqlite3
from collections.abc import Sequence
from typing import TypeAlias

from signer.domain.accounts import AccountId, AccountState, Address
from signer.domain.records import TransactionRecord
from signer.domain.slots import SlotState, TransactionKind
from signer.domain.time import UnixMs
from signer.domain.transactions import (
    ClientName,
    EvmPayload,
    IdempotencyKey,
    SignedBytes,
    TransactionId,
    UnsignedEvmTransaction,
)
from signer.ports.ledger import AccountStatus

COLUMNS = (
    "id, account, nonce, client, idempotency_key, request_digest, kind, replaces, state, chain_id, "
    "recipient, value_wei, data, gas_limit, max_fee_per_gas_wei, max_priority_fee_per_gas_wei, policy_hash, "
    "reserved_at, payload_hash, raw, hash, signed_at, block_number, block_hash, reverted, fee_paid_wei"
)

TransactionRow: TypeAlias = tuple[
    str, str, int, str, str, str, str, str | None, str, int, str, str, bytes, str, str, str, str, int, str,
    bytes | None, str | None, int | None, int | None, str | None, int, str | None,
]  # fmt: skip

# Calling the enumerations is five times slower, and every row does.
_KINDS = {kind.value: kind for kind in TransactionKind}
_STATES = {state.value: state for state in SlotState}

_SELECT = f"SELECT {COLUMNS} FROM transactions"  # noqa: S608 - constant column names
_BY_ID = f"{_SELECT} WHERE id = ?"
_BY_KEY = f"{_SELECT} WHERE client = ? AND idempotency_key = ? AND state <> 'released'"
_RESERVED = f"{_SELECT} WHERE state = 'reserved' ORDER BY seq DESC"
# Two branches with an index each: an OR would read every open transaction to find the few that matter.
_UNSETTLED = f"""
SELECT * FROM (
    {_SELECT} WHERE account = ?1 AND nonce < ?2 AND state IN ('signed', 'broadcast', 'mined')
    UNION ALL
    {_SELECT} WHERE account = ?1 AND nonce >= ?2 AND state = 'mined'
) ORDER BY nonce
"""  # noqa: S608 - constant column names
_NEWEST_OF_NONCE = (
    f"{_SELECT} WHERE account = ? AND nonce = ? AND state <> 'released' ORDER BY seq DESC LIMIT 1"
)


def by_id(connection: sqlite3.Connection, transaction: TransactionId) -> TransactionRecord | None:
    """Transaction by its id."""
    return _one(connection, _BY_ID, (transaction,))


def by_key(
    connection: sqlite3.Connection, client: ClientName, key: IdempotencyKey
) -> TransactionRecord | None:
    """Transaction that holds the client's key; one that was released holds it no more."""
    return _one(connection, _BY_KEY, (client, key))


def newest_of_nonce(
    connection: sqlite3.Connection, account: AccountId, nonce: int
) -> TransactionRecord | None:
    """Transaction that was reserved last for a nonce."""
    return _one(connection, _NEWEST_OF_NONCE, (account, nonce))


def reserved(connection: sqlite3.Connection) -> Sequence[TransactionRecord]:
    """Transactions that were reserved and neither signed nor released, newest first."""
    return tuple(map(record_of, connection.execute(_RESERVED)))


def unsettled(connection: sqlite3.Connection, account: AccountId, below: int) -> Sequence[TransactionRecord]:
    """Transactions without a final outcome that are mined or have a nonce below the given one."""
    return tuple(map(record_of, connection.execute(_UNSETTLED, (account, below))))


def account_status(connection: sqlite3.Connection, account: AccountId) -> AccountStatus | None:
    """Status of an account, or None when it was never opened."""
    row = connection.execute(
        "SELECT state, reason, next_nonce FROM accounts WHERE account = ?", (account,)
    ).fetchone()
    if row is None:
        return None
    free = connection.execute("SELECT nonce FROM free_nonces WHERE account = ? ORDER BY nonce", (account,))
    return AccountStatus(
        account=account,
        state=AccountState(row[0]),
        reason=row[1],
        next_nonce=row[2],
        free_nonces=tuple(nonce for (nonce,) in free),
    )


def _one(
    connection: sqlite3.Connection, statement: str, parameters: tuple[str | int, ...]
) -> TransactionRecord | None:
    row = connection.execute(statement, parameters).fetchone()
    return None if row is None else record_of(row)


def record_of(row: TransactionRow) -> TransactionRecord:
    """Transaction of a row with `COLUMNS`."""
    payload = EvmPayload(
        to=Address(row[10]),
        value_wei=int(row[11]),
        data=row[12],
        gas_limit=int(row[13]),
        max_fee_per_gas_wei=int(row[14]),
        max_priority_fee_per_gas_wei=int(row[15]),
    )
    return TransactionRecord(
        id=TransactionId(row[0]),
        account=AccountId(row[1]),
        client=ClientName(row[3]),
        idempotency_key=IdempotencyKey(row[4]),
        request_digest=row[5],
        kind=_KINDS[row[6]],
        replaces=None if row[7] is None else TransactionId(row[7]),
        state=_STATES[row[8]],
        unsigned=UnsignedEvmTransaction(chain_id=row[9], nonce=row[2], payload=payload),
        policy_hash=row[16],
        reserved_at=UnixMs(row[17]),
        payload_hash=row[18],
        signed=None if row[19] is None or row[20] is None else SignedBytes(raw=row[19], hash=row[20]),
        signed_at=None if row[21] is None else UnixMs(row[21]),
        block_number=row[22],
        block_hash=row[23],
        reverted=bool(row[24]),
        fee_paid_wei=None if row[25] is None else int(row[25]),
    )
