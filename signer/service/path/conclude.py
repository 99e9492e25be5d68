"""Steps 5 to 7: a verdict takes effect.

A denial is recorded; an approval is reserved and recorded in one, signed, durable.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from signer.domain.accounts import AccountId, chain_of, evm_chain_id
from signer.domain.actions import Action, DrainAction, NotUnderstood
from signer.domain.chain import ReferenceQuote
from signer.domain.claims import Claim
from signer.domain.decisions import Approved, Decision, Denied
from signer.domain.records import TransactionRecord
from signer.domain.slots import TransactionKind
from signer.domain.transactions import ClientName, EvmPayload, IdempotencyKey, TransactionId
from signer.policy.model import Policy
from signer.ports.audit import Audit, AuditRecord
from signer.ports.clock import Clock
from signer.ports.ledger import Ledger, Reservation
from signer.service.approvals.approval import Approval
from signer.service.path import record
from signer.service.path.reserve import reserve
from signer.service.path.sign import Recheck, Sign


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A request with its verdict. `recheck` judges it again when the signature took long.

    `claim` and `quotes` are those of a trade, for a person who confirms it.
    """

    method: str
    client: ClientName
    idempotency_key: IdempotencyKey
    request_digest: str
    account: AccountId
    kind: TransactionKind
    replaces: TransactionId | None
    payload: EvmPayload
    action: Action | DrainAction | NotUnderstood
    policy: Policy
    decision: Decision
    recheck: Recheck
    claim: Claim | None = None
    quotes: tuple[ReferenceQuote, ...] = ()


class Conclude:
    """Carries verdicts out, the same way for every method that signs."""

    def __init__(
        self, *, ledger: Ledger, audit: Audit, clock: Clock, sign: Sign, new_id: Callable[[], TransactionId]
    ) -> None:
        self._ledger = ledger
        self._audit = audit
        self._clock = clock
        self._sign = sign
        self._new_id = new_id

    async def __call__(self, case: Case, approval: Approval | None = None) -> TransactionRecord | Denied:
        """Signed record, or the denial: the policy's, that of the rolling limits, or that of a recheck.

        `approval` is there when a person confirms; its turn has come.
        """
        if isinstance(case.decision, Denied):
            return await self.refuse(case, case.decision)
        wanted = self._reservation(case, case.decision, approval)
        slot = await reserve(self._ledger, wanted, partial(_approved, case, case.decision))
        if isinstance(slot, Denied):
            return await self.refuse(case, slot)
        signed = await self._sign(slot, case.recheck, approval)
        return await self.refuse(case, signed) if isinstance(signed, Denied) else signed

    def _reservation(self, case: Case, approved: Approved, approval: Approval | None) -> Reservation:
        return Reservation(
            id=self._new_id() if approval is None else approval.wanted.id,
            account=case.account,
            client=case.client,
            idempotency_key=case.idempotency_key,
            request_digest=case.request_digest,
            kind=case.kind,
            replaces=case.replaces,
            chain_id=evm_chain_id(chain_of(case.account)),
            payload=case.payload,
            policy_hash=case.policy.hash,
            charges=approved.charges,
            limits=approved.limits,
            now=self._clock.now(),
        )

    async def refuse(self, case: Case, verdict: Denied) -> Denied:
        """Record a denial and return it."""
        await self._audit.append(
            record.denied(
                method=case.method,
                client=case.client,
                account=case.account,
                request_digest=case.request_digest,
                action=case.action,
                policy_hash=case.policy.hash,
                verdict=verdict,
                at=self._clock.now(),
            )
        )
        return verdict


def _approved(case: Case, decision: Approved, slot: TransactionRecord) -> AuditRecord:
    return record.approved(
        method=case.method, record=slot, action=case.action, rules=decision.trace, at=slot.reserved_at
    )
