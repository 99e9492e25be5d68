"""Reserve: the lowest free nonce and the worst-case budget in one step, or why not. Takes both or neither."""

from collections.abc import Sequence

from signer.adapters.sqlite import charges, rows
from signer.adapters.sqlite.work import Work
from signer.domain.accounts import AccountId, AccountState
from signer.domain.budget import Charge, Excess, Resource, excesses
from signer.domain.errors import NotFoundError
from signer.domain.records import TransactionRecord
from signer.domain.rotation import ROTATION_CLIENT
from signer.domain.slots import SlotState
from signer.domain.time import UnixMs
from signer.domain.transactions import TransactionId, UnsignedEvmTransaction
from signer.ports.ledger import (
    AlreadyKnown,
    NotReplaceable,
    NotSigning,
    OverLimit,
    Reservation,
    Reserved,
    ReserveOutcome,
)

_REPLACEABLE = (SlotState.SIGNED, SlotState.BROADCAST)
_IN_FLIGHT_GOES_ON = (AccountState.ACTIVE, AccountState.DRAINING)

_INSERT = """
INSERT INTO transactions (id, account, nonce, client, idempotency_key, request_digest, kind, replaces, state,
    chain_id, recipient, value_wei, data, gas_limit, max_fee_per_gas_wei, max_priority_fee_per_gas_wei,
    policy_hash, reserved_at)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, 'reserved', ?, ?, ?, ?, ?, ?, ?, ?, ?)
"""


_NEXT_NONCE = """
UPDATE accounts SET next_nonce = next_nonce + 1
WHERE account = ?1 AND state = ?4 AND reason = ''
    AND NOT EXISTS (SELECT 1 FROM free_nonces WHERE account = ?1)
    AND NOT EXISTS (
        SELECT 1 FROM transactions WHERE client = ?2 AND idempotency_key = ?3 AND state <> 'released'
    )
RETURNING next_nonce - 1
"""
_LOWEST_FREED = """
DELETE FROM free_nonces
WHERE account = ?1 AND nonce = (SELECT min(nonce) FROM free_nonces WHERE account = ?1)
RETURNING nonce
"""


def reserve(work: Work, wanted: Reservation) -> ReserveOutcome:
    """Raises NotFoundError for an account never opened and for a `replaces` that is not the account's."""
    now = work.book.moment(wanted.now)
    total = _merged(wanted.charges)
    # A drain cannot be starved of fees by what its successor spends.
    usage = work.book.own_usage if wanted.client == ROTATION_CLIENT else work.book.usage
    excess = excesses(wanted.limits, total, usage(wanted.account, wanted.limits, now))
    usual = wanted.replaces is None and not excess
    nonce = _next_nonce(work, wanted) if usual else None
    if nonce is None:
        found = _nonce_or_refusal(work, wanted, excess)
        if not isinstance(found, int):
            return found
        nonce = found
    record = _insert(work, wanted, nonce, now)
    charges.insert(work, record, total)
    work.remember(record)
    return Reserved(record=record)


def _next_nonce(work: Work, wanted: Reservation) -> int | None:
    """The usual case in one statement: a new key, a signing account without freed nonces.

    None for every other case; nothing has changed then.
    """
    parameters = (wanted.account, wanted.client, wanted.idempotency_key, _signing_state(wanted).value)
    taken: tuple[int] | None = work.connection.execute(_NEXT_NONCE, parameters).fetchone()
    return None if taken is None else taken[0]


def _nonce_or_refusal(work: Work, wanted: Reservation, excess: tuple[Excess, ...]) -> int | ReserveOutcome:
    """Every other case, the reasons in their order."""
    known = rows.by_key(work.connection, wanted.client, wanted.idempotency_key)
    if known is not None:
        return AlreadyKnown(record=known)
    replaced = None if wanted.replaces is None else _named(work, wanted.account, wanted.replaces)
    if replaced is not None and (refusal := _not_replaceable(work, replaced)) is not None:
        return refusal
    if excess:
        return OverLimit(excesses=excess)
    state, reason = _account_state(work, wanted.account)
    if reason or state not in (_IN_FLIGHT_GOES_ON if replaced is not None else (_signing_state(wanted),)):
        return NotSigning(state=state, reason=reason)
    return _freed_nonce(work, wanted.account) if replaced is None else replaced.nonce


def _signing_state(wanted: Reservation) -> AccountState:
    """State in which an account signs for this client: trades on an active one, a drain on a draining one."""
    return AccountState.DRAINING if wanted.client == ROTATION_CLIENT else AccountState.ACTIVE


def _account_state(work: Work, account: AccountId) -> tuple[AccountState, str]:
    row = work.connection.execute(
        "SELECT state, reason FROM accounts WHERE account = ?", (account,)
    ).fetchone()
    if row is None:
        raise NotFoundError(f"account {account} was never opened in this ledger")
    return AccountState(row[0]), row[1]


def _named(work: Work, account: AccountId, transaction: TransactionId) -> TransactionRecord:
    record = rows.by_id(work.connection, transaction)
    if record is None or record.account != account:
        raise NotFoundError(f"account {account} has no transaction {transaction} to replace")
    return record


def _not_replaceable(work: Work, replaced: TransactionRecord) -> NotReplaceable | None:
    newest = rows.newest_of_nonce(work.connection, replaced.account, replaced.nonce)
    newest_id = replaced.id if newest is None else newest.id
    if newest_id == replaced.id and replaced.state in _REPLACEABLE:
        return None
    return NotReplaceable(state=replaced.state, newest=newest_id)


def _freed_nonce(work: Work, account: AccountId) -> int:
    """The lowest nonce whose signature never left."""
    freed: tuple[int] | None = work.connection.execute(_LOWEST_FREED, (account,)).fetchone()
    if freed is None:
        raise AssertionError(f"{account} signs, has no freed nonce, and gave no next one")
    return freed[0]


def _insert(work: Work, wanted: Reservation, nonce: int, now: UnixMs) -> TransactionRecord:
    payload = wanted.payload
    work.connection.execute(
        _INSERT,
        (
            wanted.id, wanted.account, nonce, wanted.client, wanted.idempotency_key, wanted.request_digest,
            wanted.kind.value, wanted.replaces, wanted.chain_id, payload.to, str(payload.value_wei),
            payload.data, str(payload.gas_limit), str(payload.max_fee_per_gas_wei),
            str(payload.max_priority_fee_per_gas_wei), wanted.policy_hash, now,
        ),
    )  # fmt: skip
    work.write_event(wanted.id, None, SlotState.RESERVED, now)
    return TransactionRecord(
        id=wanted.id,
        account=wanted.account,
        client=wanted.client,
        idempotency_key=wanted.idempotency_key,
        request_digest=wanted.request_digest,
        kind=wanted.kind,
        replaces=wanted.replaces,
        state=SlotState.RESERVED,
        unsigned=UnsignedEvmTransaction(chain_id=wanted.chain_id, nonce=nonce, payload=payload),
        payload_hash="",
        policy_hash=wanted.policy_hash,
        reserved_at=now,
    )


def _merged(wanted: Sequence[Charge]) -> Sequence[Charge]:
    amounts: dict[Resource, int] = {}
    for charge in wanted:
        amounts[charge.resource] = amounts.get(charge.resource, 0) + charge.amount
    if len(amounts) == len(wanted):
        return wanted
    return tuple(Charge(resource=resource, amount=amount) for resource, amount in amounts.items())
