"""Account rotation in words: the life of an account as one table. No step leads back from RETIRED."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import NewType

from signer.domain.accounts import AccountId, AccountState
from signer.domain.errors import PreconditionError
from signer.domain.reasons import FailReason
from signer.domain.slots import TransactionKind
from signer.domain.time import UnixMs
from signer.domain.transactions import ClientName

ROTATION_CLIENT = ClientName("airlock:rotation")
"""Who asks for the transactions of a drain.

No certificate can say so: it is neither a URI with `//` nor a DNS name, and settings take no other client.
"""

RotationId = NewType("RotationId", int)


class AccountEvent(StrEnum):
    """What can happen to an account as a whole."""

    PAUSE = "pause"
    RESUME = "resume"
    ROTATION_BEGUN = "rotation begun"
    ROTATION_TURNED_BACK = "rotation turned back"
    ROTATION_FINISHED = "rotation finished"


ACCOUNT_TRANSITIONS: Mapping[AccountState, Mapping[AccountEvent, AccountState]] = {
    AccountState.ACTIVE: {
        AccountEvent.PAUSE: AccountState.PAUSED,
        AccountEvent.RESUME: AccountState.ACTIVE,
        AccountEvent.ROTATION_BEGUN: AccountState.DRAINING,
    },
    AccountState.PAUSED: {
        AccountEvent.PAUSE: AccountState.PAUSED,
        AccountEvent.RESUME: AccountState.ACTIVE,
        AccountEvent.ROTATION_BEGUN: AccountState.DRAINING,
    },
    # A pause holds the drain and a resume lets it go on; neither makes the account trade again.
    AccountState.DRAINING: {
        AccountEvent.PAUSE: AccountState.DRAINING,
        AccountEvent.RESUME: AccountState.DRAINING,
        AccountEvent.ROTATION_TURNED_BACK: AccountState.ACTIVE,
        AccountEvent.ROTATION_FINISHED: AccountState.RETIRED,
    },
    AccountState.RETIRED: {},
}


class Use(StrEnum):
    """What a signature is for."""

    TRADE = "trade"
    IN_FLIGHT = "in flight"
    DRAIN = "drain"


SIGNS_FOR: Mapping[Use, frozenset[AccountState]] = {
    Use.TRADE: frozenset({AccountState.ACTIVE}),
    Use.IN_FLIGHT: frozenset({AccountState.ACTIVE, AccountState.DRAINING}),
    Use.DRAIN: frozenset({AccountState.DRAINING}),
}
"""States in which an account signs. In flight: replacements and cancellations of what was signed before."""


def use_of(kind: TransactionKind, client: ClientName) -> Use:
    """What a transaction is for."""
    if kind is not TransactionKind.ORIGINAL:
        return Use.IN_FLIGHT
    return Use.DRAIN if client == ROTATION_CLIENT else Use.TRADE


class RotationState(StrEnum):
    """Where a rotation stands."""

    OPEN = "open"
    FINISHED = "finished"
    TURNED_BACK = "turned_back"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rotation:
    """One account hands over to another. `dust` lists what was left behind for good, for people."""

    id: RotationId
    old: AccountId
    new: AccountId
    emergency: bool
    begun_at: UnixMs
    state: RotationState
    dust: str = ""


def advance_account(account: AccountId, state: AccountState, event: AccountEvent) -> AccountState:
    """State after `event`. Raises PreconditionError when the table has no such step."""
    after = ACCOUNT_TRANSITIONS[state].get(event)
    if after is not None:
        return after
    if state is AccountState.RETIRED:
        raise PreconditionError(FailReason.ACCOUNT_RETIRED, f"{account} is retired and signs never again")
    raise PreconditionError(FailReason.ROTATION_NOT_POSSIBLE, f"{account} is {state}: no step for {event}")


def family(account: AccountId, links: Iterable[tuple[AccountId, AccountId]]) -> frozenset[AccountId]:
    """Every account that shares a budget with `account`: all that rotations (old, new) connect with it.

    One of them trades at a time, so what any of them used counts for the one that trades now.
    """
    edges = tuple(links)
    members = {account}
    while more := {one for edge in edges if members & set(edge) for one in edge} - members:
        members |= more
    return frozenset(members)
