"""The audit trail as a port: one record per decision, durable before the decision takes effect."""

from dataclasses import dataclass
from typing import Protocol

from signer.domain.accounts import AccountId
from signer.domain.time import UnixMs
from signer.domain.transactions import ClientName, TransactionId


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditRecord:
    """One decision. Holds digests and decoded actions, never bytes that could be broadcast.

    `verdict` is `approved`, `denied` or the name of an operator's act (`paused`, `policy_reloaded` …);
    `details` are short texts, for example violations or the reason of a pause.
    """

    at: UnixMs
    client: ClientName
    method: str
    account: AccountId | None
    request_digest: str
    actions: tuple[str, ...]
    policy_hash: str
    rules: tuple[str, ...]
    verdict: str
    details: tuple[str, ...]
    transaction: TransactionId | None
    nonce: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditReport:
    """What a check of the trail found: how many records are sound, the last sound hash.

    What is wrong after it.

    `problem` is empty when the chain is whole.
    """

    records: int
    head_hash: str
    problem: str


class Audit(Protocol):
    """An append-only trail."""

    async def append(self, record: AuditRecord) -> None:
        """Make the record durable.

        Raises UnavailableError when it cannot be written: then nothing may be signed.
        """
        ...
