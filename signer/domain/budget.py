"""Rolling limits: what is charged, how long it counts, and when it is too much. Integers only."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import NewType

from signer.domain.accounts import Address

Resource = NewType("Resource", str)
"""What a limit counts: `token:0x…` in base units, `native` and `fee` in wei, `transactions` as a count.

`topup:0x…:0x…` (token and recipient) in base units, `topup:native:0x…` in wei.
"""

NATIVE = Resource("native")
"""Native coin that leaves the account by transfer; fees are a resource of their own."""
FEE = Resource("fee")
TRANSACTIONS = Resource("transactions")
_TOP_UP = "topup:"


def token_resource(token: Address) -> Resource:
    """Resource that counts what leaves the account in one token."""
    return Resource(f"token:{token}")


def top_up_resource(token: Address | None, to: Address) -> Resource:
    """Resource that counts the top-ups of one account with one token; None is the native coin."""
    return Resource(f"{_TOP_UP}{NATIVE if token is None else token}:{to}")


def topped_up(resource: Resource) -> str | None:
    """Token, or `native`, of a resource that counts top-ups; None for any other."""
    return resource.split(":")[1] if resource.startswith(_TOP_UP) else None


def unit_of(resource: Resource) -> str:
    """What an amount of it is counted in: "wei", "base units" or "count"."""
    if resource == TRANSACTIONS:
        return "count"
    if resource in {FEE, NATIVE} or resource.startswith(f"{_TOP_UP}{NATIVE}:"):
        return "wei"
    return "base units"


@dataclass(frozen=True, slots=True, kw_only=True)
class Charge:
    """Worst case that one transaction takes from one resource, base units."""

    resource: Resource
    amount: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RollingLimit:
    """At most `limit` of `resource` within any `window_s` seconds, for one account."""

    resource: Resource
    window_s: int
    limit: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Excess:
    """A limit that a charge would break: what was used before it and what the charge adds."""

    limit: RollingLimit
    used: int
    charge: int


Usage = Mapping[tuple[Resource, int], int]
"""Amount used by (resource, window in seconds), reserved worst cases included. What is absent is zero."""


def excesses(limits: Iterable[RollingLimit], charges: Iterable[Charge], usage: Usage) -> tuple[Excess, ...]:
    """Every limit that `charges` would break on top of `usage`; empty when all fit."""
    added: dict[Resource, int] = {}
    for charge in charges:
        added[charge.resource] = added.get(charge.resource, 0) + charge.amount
    return tuple(
        Excess(limit=limit, used=used, charge=amount)
        for limit in limits
        if (amount := added.get(limit.resource, 0)) > 0
        and (used := usage.get((limit.resource, limit.window_s), 0)) + amount > limit.limit
    )
