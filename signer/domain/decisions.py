"""Verdicts. A denial is a value; there is no verdict for "broken"."""

from dataclasses import dataclass
from typing import TypeAlias

from signer.domain.budget import Charge, RollingLimit
from signer.domain.reasons import DenyReason


@dataclass(frozen=True, slots=True, kw_only=True)
class Violation:
    """One violated rule. `limit` and `actual` are texts in `unit`."""

    reason: DenyReason
    rule: str
    limit: str
    actual: str
    unit: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Approved:
    """Every stateless rule agrees.

    `charges` must fit under `limits` in the same transaction that reserves the nonce.
    """

    charges: tuple[Charge, ...]
    limits: tuple[RollingLimit, ...]
    trace: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Denied:
    """At least one rule says no; all that do are listed, in the order of the rules."""

    violations: tuple[Violation, ...]
    trace: tuple[str, ...]

    def __post_init__(self) -> None:
        """A denial without a reason would read like an approval."""
        if not self.violations:
            raise ValueError("Denied needs at least one violation")


Decision: TypeAlias = Approved | Denied
