"""CancelTransaction: same nonce, an empty transfer of nothing to oneself."""

from signer.domain.accounts import address_of
from signer.domain.records import TransactionRecord
from signer.domain.requests import FeeBumpRequest
from signer.domain.slots import TransactionKind
from signer.domain.transactions import EvmPayload
from signer.policy.replacement import cancellation_of
from signer.service.take_over_nonce import Takeover


def _payload(earlier: TransactionRecord, request: FeeBumpRequest) -> EvmPayload:
    return cancellation_of(
        address_of(earlier.account), request.max_fee_per_gas_wei, request.max_priority_fee_per_gas_wei
    )


CANCELLATION = Takeover(method="CancelTransaction", kind=TransactionKind.CANCELLATION, payload=_payload)
