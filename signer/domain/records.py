"""A transaction as the ledger keeps it."""

from dataclasses import dataclass

from signer.domain.accounts import AccountId
from signer.domain.slots import SlotState, TransactionKind
from signer.domain.time import UnixMs
from signer.domain.transactions import (
    ClientName,
    IdempotencyKey,
    SignedBytes,
    TransactionId,
    UnsignedEvmTransaction,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class TransactionRecord:
    """One row of the ledger.

    `signed` is set from SIGNED on (`payload_hash` is empty before); `block_number`, `block_hash`, `reverted`
    and `fee_paid_wei` from MINED on.
    """

    id: TransactionId
    account: AccountId
    client: ClientName
    idempotency_key: IdempotencyKey
    request_digest: str
    kind: TransactionKind
    replaces: TransactionId | None
    state: SlotState
    unsigned: UnsignedEvmTransaction
    payload_hash: str
    policy_hash: str
    reserved_at: UnixMs
    signed: SignedBytes | None = None
    signed_at: UnixMs | None = None
    block_number: int | None = None
    block_hash: str | None = None
    reverted: bool = False
    fee_paid_wei: int | None = None

    @property
    def nonce(self) -> int:
        """Nonce of the slot."""
        return self.unsigned.nonce

    def as_signed(self, signed: SignedBytes, payload_hash: str, at: UnixMs) -> "TransactionRecord":
        """The same reservation, signed."""
        # Spelled out: `dataclasses.replace` takes three times as long, and every signature comes by here.
        return TransactionRecord(
            id=self.id,
            account=self.account,
            client=self.client,
            idempotency_key=self.idempotency_key,
            request_digest=self.request_digest,
            kind=self.kind,
            replaces=self.replaces,
            state=SlotState.SIGNED,
            unsigned=self.unsigned,
            payload_hash=payload_hash,
            policy_hash=self.policy_hash,
            reserved_at=self.reserved_at,
            signed=signed,
            signed_at=at,
        )
