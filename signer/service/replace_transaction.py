"""ReplaceTransaction: same nonce and payload, higher fees."""

from signer.domain.accounts import AccountId
from signer.domain.decisions import Decision
from signer.domain.records import TransactionRecord
from signer.domain.requests import FeeBumpRequest
from signer.domain.slots import TransactionKind
from signer.domain.transactions import EvmPayload
from signer.policy.model import Policy
from signer.policy.replacement import decide_replacement, replacement_of
from signer.service.take_over_nonce import Takeover


def _payload(earlier: TransactionRecord, request: FeeBumpRequest) -> EvmPayload:
    return replacement_of(
        earlier.unsigned.payload, request.max_fee_per_gas_wei, request.max_priority_fee_per_gas_wei
    )


def _judge(policy: Policy, account: AccountId, newest: EvmPayload, payload: EvmPayload) -> Decision:
    return decide_replacement(policy, account, newest=newest, replacement=payload, usage={})


REPLACEMENT = Takeover(
    method="ReplaceTransaction", kind=TransactionKind.REPLACEMENT, payload=_payload, judge=_judge
)
