"""Policies that came into force under a guardian, remembered for ever. Never goes back to an older one."""

import sqlite3

from signer.adapters.sqlite.work import Work
from signer.domain.errors import ConfigurationError
from signer.domain.guardian import GuardianName
from signer.domain.policy_statement import GuardedPolicy
from signer.domain.time import UnixMs

_NEWEST = "SELECT guardian, serial, policy_hash FROM guarded_policies ORDER BY id DESC LIMIT 1"
_INSERT = "INSERT INTO guarded_policies (guardian, serial, policy_hash, since) VALUES (?, ?, ?, ?)"


def newest(connection: sqlite3.Connection) -> GuardedPolicy | None:
    """The newest one, which has the highest serial; None when there never was a guardian."""
    row = connection.execute(_NEWEST).fetchone()
    if row is None:
        return None
    guardian, serial, policy_hash = row
    return GuardedPolicy(
        guardian=GuardianName(guardian) if guardian else None, serial=serial, policy_hash=policy_hash
    )


def remember(work: Work, policy: GuardedPolicy, now: UnixMs) -> None:
    """Remember `policy` as the newest; the same again changes nothing.

    Raises ConfigurationError when a newer one is there: two reloads may have overtaken each other.
    """
    known = newest(work.connection)
    if known == policy:
        return
    problem = None if known is None else known.why_not_followed_by(policy.serial, policy.policy_hash)
    if problem is not None:
        raise ConfigurationError(f"the policy {problem}")
    work.connection.execute(
        _INSERT, (policy.guardian or "", policy.serial, policy.policy_hash, work.book.moment(now))
    )
