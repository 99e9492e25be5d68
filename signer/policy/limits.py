"""Which rolling limits apply: all of an account's, or those that given charges touch. Sets none itself."""

from collections.abc import Iterable

from signer.domain.budget import Charge, RollingLimit
from signer.policy.model import AccountPolicy


def limits_of(account: AccountPolicy) -> tuple[RollingLimit, ...]:
    """Every rolling limit of the account: fee, transactions, native coin, each token by hour and by day."""
    return account.limits


def limits_on(account: AccountPolicy, charges: Iterable[Charge]) -> tuple[RollingLimit, ...]:
    """Limits that the charges count against. An unlisted token has none; the token rule refuses it."""
    return tuple([limit for charge in charges for limit in account.limits_on.get(charge.resource, ())])
