"""DismissApproval: an operator ends a request that waits for a person. Nothing is signed; it is recorded."""

from signer.domain.errors import RejectedError
from signer.domain.reasons import DenyReason
from signer.domain.transactions import TransactionId
from signer.ports.audit import Audit
from signer.ports.clock import Clock
from signer.service.approvals.approvals import Approvals
from signer.service.clients import Client, Role
from signer.service.path.record import operator_act
from signer.service.policies import Policies

METHOD = "DismissApproval"


class DismissApproval:
    """Ends what waits."""

    def __init__(self, *, approvals: Approvals, policies: Policies, audit: Audit, clock: Clock) -> None:
        self._approvals = approvals
        self._policies = policies
        self._audit = audit
        self._clock = clock

    async def __call__(self, client: Client, transaction: TransactionId, reason: str) -> bool:
        """Whether it still waited: then nothing was signed, and nothing will be.

        Answers once the request is over, its device's dialog included.
        """
        client.require_role(Role.ADMIN, METHOD)
        approval = self._approvals.find(transaction)
        why = f"dismissed by {client.name}" + (f": {reason}" if reason else "")
        ended = approval is not None and approval.end(RejectedError(DenyReason.DISMISSED_BY_OPERATOR, why))
        # As with a pause, stopping must work even when the trail does not: it is written afterwards.
        await self._audit.append(
            operator_act(
                client=client.name,
                method=METHOD,
                account=None if approval is None else approval.wanted.account,
                details=(transaction, reason) if ended else (transaction, reason, "it did not wait any more"),
                policy_hash=self._policies.current.hash,
                at=self._clock.now(),
            )
        )
        if approval is None or not ended:
            return False
        await approval.over()
        return self._was_dismissed(transaction)

    def _was_dismissed(self, transaction: TransactionId) -> bool:
        """A signature that was on its way to the disk in that moment counts."""
        return any(
            outcome.wanted.id == transaction and outcome.verdict != "signed"
            for outcome in self._approvals.outcomes()
        )
