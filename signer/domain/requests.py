"""What clients ask, parsed and well-formed. Nothing here has been judged yet."""

from dataclasses import dataclass

from signer.domain.accounts import AccountId
from signer.domain.claims import Claim
from signer.domain.transactions import EvmPayload, IdempotencyKey, TransactionId


@dataclass(frozen=True, slots=True, kw_only=True)
class SignRequest:
    """One transaction that the client wants signed on a fresh nonce.

    `request_digest` is SHA-256 (hex) over everything that the client sent.
    """

    idempotency_key: IdempotencyKey
    account: AccountId
    payload: EvmPayload
    claim: Claim
    request_digest: str


@dataclass(frozen=True, slots=True, kw_only=True)
class EvaluateRequest:
    """One transaction that the client wants judged only."""

    account: AccountId
    payload: EvmPayload
    claim: Claim


@dataclass(frozen=True, slots=True, kw_only=True)
class FeeBumpRequest:
    """A second transaction for the nonce of an earlier one: a replacement or a cancellation.

    Fees in wei per gas.
    """

    idempotency_key: IdempotencyKey
    transaction: TransactionId
    max_fee_per_gas_wei: int
    max_priority_fee_per_gas_wei: int
    request_digest: str
