"""Steps 5 to 7: a verdict takes effect.

A denial is recorded; an approval is reserved, recorded, signed, durable.
"""

from collections.abc import Callable
from dataclasses import dataclass

from signer.domain.accounts import AccountId, chain_of, evm_chain_id
from signer.domain.actions import Action, DrainAction, NotUnderstood
from signer.domain.decisions import Approved, Decision, Denied
from signer.domain.records import TransactionRecord
from signer.domain.slots import TransactionKind
from signer.domain.transactions import ClientName, EvmPayload, IdempotencyKey, TransactionId
from signer.policy.model import Policy
from signer.ports.audit import Audit
from signer.ports.clock import Clock
from signer.ports.ledger import Ledger, Reservation
from signer.service.path import record
from signer.service.path.reserve import reserve
from signer.service.path.sign import Recheck, Sign


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A request with its verdict. `recheck` judges it again when the signature took long."""

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

    async def __call__(self, case: Case) -> TransactionRecord | Denied:
        """Signed record, or the denial: the policy's, that of the rolling limits, or that of a recheck."""
        if isinstance(case.decision, Denied):
            return await self._refuse(case, case.decision)
        slot = await reserve(self._ledger, self._reservation(case, case.decision))
        if isinstance(slot, Denied):
            return await self._refuse(case, slot)
        entry = record.approved(
            method=case.method,
            record=slot,
            action=case.action,
            rules=case.decision.trace,
            at=self._clock.now(),
        )
        signed = await self._sign(slot, entry, case.recheck)
        return await self._refuse(case, signed) if isinstance(signed, Denied) else signed

    def _reservation(self, case: Case, approved: Approved) -> Reservation:
        return Reservation(
            id=self._new_id(),
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

    async def _refuse(self, case: Case, verdict: Denied) -> Denied:
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
