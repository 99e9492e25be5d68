"""Accounts: opened, paused, resumed, moved to another nonce. Never moved back over a signature."""

from signer.adapters.sqlite import rows
from signer.adapters.sqlite.work import Work
from signer.domain.accounts import AccountId
from signer.domain.errors import BrokenError, NotFoundError
from signer.domain.reasons import FailReason
from signer.domain.rotation import AccountEvent, advance_account
from signer.domain.time import UnixMs
from signer.ports.ledger import AccountStatus

_OPEN = "INSERT INTO accounts (account, state, reason, next_nonce, changed_at) VALUES (?, 'active', '', ?, ?)"
_IN_THE_WAY = """
SELECT id, nonce, state FROM transactions
WHERE account = ? AND (nonce >= ? OR state = 'reserved') AND state <> 'released' ORDER BY nonce LIMIT 1
"""


def open_account(work: Work, account: AccountId, first_nonce: int, now: UnixMs) -> AccountStatus:
    """Status of the account, which begins at `first_nonce` unless it is known."""
    at = work.book.moment(now)
    work.connection.execute(f"{_OPEN} ON CONFLICT DO NOTHING", (account, first_nonce, at))
    return _status(work, account)


def pause(work: Work, account: AccountId, reason: str, now: UnixMs) -> None:
    """Raises NotFoundError for an unknown account, PreconditionError for a retired one.

    A draining account stays draining, and its drain is held for the reason.
    """
    step(work, account, AccountEvent.PAUSE, reason, now)


def resume(work: Work, account: AccountId, now: UnixMs) -> None:
    """Raises NotFoundError for an unknown account, PreconditionError for a retired one."""
    step(work, account, AccountEvent.RESUME, "", now)


def catch_up(work: Work, account: AccountId, count: int, now: UnixMs) -> None:
    """Hand out no nonce below `count`, which the chain has used. Touches no signature."""
    _status(work, account)
    execute = work.connection.execute
    execute("DELETE FROM free_nonces WHERE account = ? AND nonce < ?", (account, count))
    execute(
        "UPDATE accounts SET next_nonce = ?1, changed_at = ?2 WHERE account = ?3 AND next_nonce < ?1",
        (count, work.book.moment(now), account),
    )


def take_over_nonce(work: Work, account: AccountId, nonce: int, now: UnixMs) -> None:
    """Raises BrokenError when a nonce from `nonce` on was ever signed or anything is still reserved."""
    _status(work, account)
    other = work.connection.execute(_IN_THE_WAY, (account, nonce)).fetchone()
    if other is not None:
        raise BrokenError(
            FailReason.BROKEN,
            f"{account} cannot go on at {nonce}: nonce {other[1]} is {other[2]} by transaction {other[0]}",
        )
    work.connection.execute("DELETE FROM free_nonces WHERE account = ?", (account,))
    work.connection.execute(
        "UPDATE accounts SET next_nonce = ?, changed_at = ? WHERE account = ?",
        (nonce, work.book.moment(now), account),
    )


def step(work: Work, account: AccountId, event: AccountEvent, reason: str, now: UnixMs) -> None:
    """One step of the account's life. Raises NotFoundError; PreconditionError where the table has none."""
    state = advance_account(account, _status(work, account).state, event)
    work.connection.execute(
        "UPDATE accounts SET state = ?, reason = ?, changed_at = ? WHERE account = ?",
        (state, reason, work.book.moment(now), account),
    )


def _status(work: Work, account: AccountId) -> AccountStatus:
    status = rows.account_status(work.connection, account)
    if status is None:
        raise NotFoundError(f"account {account} was never opened in this ledger")
    return status
