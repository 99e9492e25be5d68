"""CancelTransaction: same nonce, an empty transfer of nothing to oneself.

What still waits for a person has no signature: it is given up instead, and there is nothing to cancel.
"""

from dataclasses import dataclass

from signer.domain.accounts import AccountId, address_of
from signer.domain.decisions import Decision, Denied
from signer.domain.errors import RejectedError
from signer.domain.reasons import DenyReason
from signer.domain.records import TransactionRecord
from signer.domain.requests import FeeBumpRequest
from signer.domain.slots import SlotState, TransactionKind
from signer.domain.transactions import EvmPayload, TransactionId
from signer.policy.model import Policy
from signer.policy.replacement import cancellation_of, decide_cancellation
from signer.ports.ledger import Ledger
from signer.service.approvals.approvals import Approvals
from signer.service.clients import Client
from signer.service.take_over_nonce import Takeover, TakeOverNonce, refuse_rotations


def _payload(earlier: TransactionRecord, request: FeeBumpRequest) -> EvmPayload:
    return cancellation_of(
        address_of(earlier.account), request.max_fee_per_gas_wei, request.max_priority_fee_per_gas_wei
    )


def _judge(policy: Policy, account: AccountId, newest: EvmPayload, payload: EvmPayload) -> Decision:
    return decide_cancellation(policy, account, newest=newest, cancellation=payload, usage={})


CANCELLATION = Takeover(
    method="CancelTransaction", kind=TransactionKind.CANCELLATION, payload=_payload, judge=_judge
)


@dataclass(frozen=True, slots=True, kw_only=True)
class GivenUp:
    """Nothing was signed under this id, and nothing will be."""

    transaction: TransactionId


class CancelTransaction:
    """Gives up what waits for a person; cancels what was signed."""

    def __init__(self, *, approvals: Approvals, cancelling: TakeOverNonce, ledger: Ledger) -> None:
        self._approvals = approvals
        self._cancelling = cancelling
        self._ledger = ledger

    async def __call__(self, client: Client, request: FeeBumpRequest) -> TransactionRecord | Denied | GivenUp:
        """Signed record of the cancellation, or its denial, or that there is nothing to cancel."""
        approval = self._approvals.find(request.transaction)
        if approval is not None and client.may(CANCELLATION.method, approval.wanted.account):
            refuse_rotations(approval.wanted.client, request.transaction, approval.wanted.account)
            why = f"{client.name} gave it up"
            approval.end(RejectedError(DenyReason.GIVEN_UP, why))
            await approval.over()  # also where somebody else ended it a moment before
        record = await self._ledger.get(request.transaction)
        if _never_signed(record, client) or (record is None and self._was_given_up(request, client)):
            return GivenUp(transaction=request.transaction)
        return await self._cancelling(client, request)

    def _was_given_up(self, request: FeeBumpRequest, client: Client) -> bool:
        """It ended in the queue before a person, where the ledger never heard of it."""
        return any(
            outcome.wanted.id == request.transaction
            and outcome.verdict == "denied"
            and client.may(CANCELLATION.method, outcome.wanted.account)
            for outcome in self._approvals.outcomes()
        )


def _never_signed(record: TransactionRecord | None, client: Client) -> bool:
    return (
        record is not None
        and record.state is SlotState.RELEASED
        and client.may(CANCELLATION.method, record.account)
    )
