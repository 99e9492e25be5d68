"""ReplaceTransaction: same nonce and payload, higher fees."""

from signer.domain.records import TransactionRecord
from signer.domain.requests import FeeBumpRequest
from signer.domain.slots import TransactionKind
from signer.domain.transactions import EvmPayload
from signer.policy.replacement import replacement_of
from signer.service.take_over_nonce import Takeover


def _payload(earlier: TransactionRecord, request: FeeBumpRequest) -> EvmPayload:
    return replacement_of(
        earlier.unsigned.payload, request.max_fee_per_gas_wei, request.max_priority_fee_per_gas_wei
    )


REPLACEMENT = Takeover(method="ReplaceTransaction", kind=TransactionKind.REPLACEMENT, payload=_payload)
