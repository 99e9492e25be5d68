"""What has to be rotated when: facts and limits in, an ordered list out. Reads and rotates nothing itself."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from signer.domain.rotating import Fact, Rotating
from signer.domain.time import MS_PER_S, UnixMs

DAY_S = 24 * 60 * 60


COMMANDS: dict[Rotating, str] = {
    Rotating.WRAPPING_KEY: "airlock-signer rotate wrapping-key",
    Rotating.ACCOUNT: "airlock-signer rotate account begin",
    Rotating.CHECKPOINT_KEY: "vault write -f transit/keys/NAME/rotate",
    Rotating.CHECKPOINT: "none: the signer does it; look at checkpoint.delayed in its log",
    Rotating.VAULT_TOKEN: "none: the signer renews it; look at vault.not_renewed in its log",
    Rotating.VAULT_CREDENTIAL: "airlock-signer rotate credentials",
    Rotating.SERVER_CERTIFICATE: "airlock-signer rotate certificates",
    Rotating.CLIENT_AUTHORITY: "a new authority: vault/runbooks",
    Rotating.REVOCATION_LIST: "airlock-signer rotate certificates",
    Rotating.POLICY: "review it, then airlock-signer reload-policy",
}
"""Which command rotates it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RotationLimits:
    """Age at which something is due that does not end by itself; what ends is due at 2/3 of its life."""

    wrapping_key_days: int = 90
    account_days: int = 365
    checkpoint_key_days: int = 365
    policy_days: int = 180
    soon_days: int = 14

    def days(self, what: Rotating) -> int | None:
        """Limit of one kind; None for what ends by itself."""
        return {
            Rotating.WRAPPING_KEY: self.wrapping_key_days,
            Rotating.ACCOUNT: self.account_days,
            Rotating.CHECKPOINT_KEY: self.checkpoint_key_days,
            Rotating.POLICY: self.policy_days,
        }.get(what)


class Urgency(StrEnum):
    """What a person has to know first."""

    OVERDUE = "overdue"
    UNKNOWN = "unknown"
    SOON = "soon"
    FINE = "fine"


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A line of the schedule. `due` None: never, or unknown (then `problem` says why)."""

    what: Rotating
    name: str
    urgency: Urgency
    since: UnixMs | None
    due: UnixMs | None
    ends: UnixMs | None
    command: str
    problem: str

    def age_s(self, now: UnixMs) -> int | None:
        """Age, seconds."""
        return None if self.since is None else (now - self.since) // MS_PER_S

    def due_in_s(self, now: UnixMs) -> int | None:
        """Seconds until it is due; negative when that has passed."""
        return None if self.due is None else (self.due - now) // MS_PER_S


def schedule(facts: Iterable[Fact], limits: RotationLimits, now: UnixMs) -> tuple[Entry, ...]:
    """Everything, the most urgent first."""
    entries = [_entry(fact, limits, now) for fact in facts]
    order = list(Urgency)
    never = max((entry.due for entry in entries if entry.due is not None), default=now) + 1
    return tuple(sorted(entries, key=lambda each: (order.index(each.urgency), each.due or never, each.name)))


def _entry(fact: Fact, limits: RotationLimits, now: UnixMs) -> Entry:
    due = _due(fact, limits)
    return Entry(
        what=fact.what,
        name=fact.name,
        urgency=_urgency(fact, due, limits, now),
        since=fact.since,
        due=due,
        ends=fact.ends,
        command=COMMANDS[fact.what],
        problem=fact.problem,
    )


def _due(fact: Fact, limits: RotationLimits) -> UnixMs | None:
    if fact.due is not None:
        return fact.due
    if fact.since is None:
        return fact.ends
    days = limits.days(fact.what)
    by_limit = None if days is None else fact.since + days * DAY_S * MS_PER_S
    by_end = None if fact.ends is None else fact.since + (fact.ends - fact.since) * 2 // 3
    known = [each for each in (by_limit, by_end) if each is not None]
    return UnixMs(min(known)) if known else None


def _urgency(fact: Fact, due: UnixMs | None, limits: RotationLimits, now: UnixMs) -> Urgency:
    if due is not None and due <= now:
        return Urgency.OVERDUE
    if fact.problem:
        return Urgency.UNKNOWN
    if due is None:
        return Urgency.FINE
    # Short-lived things are always "soon" by the calendar: for them the last tenth of their time counts.
    ahead = limits.soon_days * DAY_S * MS_PER_S
    if fact.since is not None:
        ahead = min(ahead, (due - fact.since) // 10)
    return Urgency.SOON if due - now <= ahead else Urgency.FINE
