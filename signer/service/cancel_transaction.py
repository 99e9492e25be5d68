"""CancelTransaction: same nonce, an empty transfer of nothing to oneself."""

from signer.domain.accounts import AccountId, address_of
from signer.domain.decisions import Decision
from signer.domain.records import TransactionRecord
from signer.domain.requests import FeeBumpRequest
from signer.domain.slots import TransactionKind
from signer.domain.transactions import EvmPayload
from signer.policy.model import Policy
from signer.policy.replacement import cancellation_of, decide_cancellation
from signer.service.take_over_nonce import Takeover


def _payload(earlier: TransactionRecord, request: FeeBumpRequest) -> EvmPayload:
    return cancellation_of(
        address_of(earlier.account), request.max_fee_per_gas_wei, request.max_priority_fee_per_gas_wei
    )


def _judge(policy: Policy, account: AccountId, newest: EvmPayload, payload: EvmPayload) -> Decision:
    return decide_cancellation(policy, account, newest=newest, cancellation=payload, usage={})


CANCELLATION = Takeover(
    method="CancelTransaction", kind=TransactionKind.CANCELLATION, payload=_payload, judge=_judge
)
