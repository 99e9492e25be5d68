"""What the audit trail says of a verdict: digests, decoded actions and rules.

Never bytes that could be broadcast.
"""

from collections.abc import Mapping
from dataclasses import fields
from typing import get_args

from signer.domain.accounts import AccountId
from signer.domain.actions import Action, DrainAction, NotUnderstood
from signer.domain.decisions import Denied, Violation
from signer.domain.records import TransactionRecord
from signer.domain.time import UnixMs
from signer.domain.transactions import ClientName
from signer.ports.audit import AuditRecord

_FIELDS: Mapping[type[Action | DrainAction], tuple[str, ...]] = {
    kind: tuple(field.name for field in fields(kind)) for kind in get_args(Action | DrainAction)
}


def approved(
    *,
    method: str,
    record: TransactionRecord,
    action: Action | DrainAction | NotUnderstood,
    rules: tuple[str, ...],
    at: UnixMs,
) -> AuditRecord:
    """Record of a reserved slot that is about to be signed."""
    return AuditRecord(
        at=at,
        client=record.client,
        method=method,
        account=record.account,
        request_digest=record.request_digest,
        actions=(describe(action),),
        policy_hash=record.policy_hash,
        rules=rules,
        verdict="approved",
        details=(),
        transaction=record.id,
        nonce=record.nonce,
    )


def denied(
    *,
    method: str,
    client: ClientName,
    account: AccountId,
    request_digest: str,
    action: Action | DrainAction | NotUnderstood,
    policy_hash: str,
    verdict: Denied,
    at: UnixMs,
) -> AuditRecord:
    """Record of a refusal with every violated rule."""
    return AuditRecord(
        at=at,
        client=client,
        method=method,
        account=account,
        request_digest=request_digest,
        actions=(describe(action),),
        policy_hash=policy_hash,
        rules=verdict.trace,
        verdict="denied",
        details=tuple(_line(violation) for violation in verdict.violations),
        transaction=None,
        nonce=None,
    )


def operator_act(
    *,
    client: ClientName,
    method: str,
    account: AccountId | None,
    details: tuple[str, ...],
    policy_hash: str,
    at: UnixMs,
) -> AuditRecord:
    """Record of something that an operator did."""
    return AuditRecord(
        at=at,
        client=client,
        method=method,
        account=account,
        request_digest="",
        actions=(),
        policy_hash=policy_hash,
        rules=(),
        verdict="operator",
        details=details,
        transaction=None,
        nonce=None,
    )


def describe(action: Action | DrainAction | NotUnderstood) -> str:
    """One line for people: the action's name and fields."""
    if isinstance(action, NotUnderstood):
        return f"not understood: {action.violation.actual}"
    values = [f"{name}={_text(getattr(action, name))}" for name in _FIELDS[type(action)]]
    return f"{type(action).__name__}({', '.join(values)})"


def _text(value: object) -> str:
    return ">".join(map(str, value)) if isinstance(value, tuple) else str(value)


def _line(violation: Violation) -> str:
    compared = f"allows {violation.limit}, has {violation.actual} ({violation.unit})"
    return f"{violation.reason}: {violation.rule} {compared}"
