"""Reservations and signatures for tests of the ledger: well-formed, small, distinct by number."""

from hashlib import sha256
from pathlib import Path

from signer.domain.accounts import AccountId, Address
from signer.domain.budget import FEE, TRANSACTIONS, Charge, RollingLimit, token_resource
from signer.domain.records import TransactionRecord
from signer.domain.slots import TransactionKind
from signer.domain.time import UnixMs
from signer.domain.transactions import (
    ClientName,
    EvmPayload,
    IdempotencyKey,
    SignedBytes,
    TransactionId,
)
from signer.ports.audit import AuditRecord
from signer.ports.ledger import Reservation

ACCOUNT = AccountId("eip155:31337:0x" + "a1" * 20)
OTHER_ACCOUNT = AccountId("eip155:31337:0x" + "b2" * 20)
CLIENT = ClientName("spiffe://airlock.test/trader")
TOKEN = Address("0x" + "c3" * 20)
TOKEN_USE = token_resource(TOKEN)
HOUR_S = 3600
DAY_S = 86_400


def transaction_id(number: int) -> TransactionId:
    return TransactionId(f"{number:032x}")


def key(number: int) -> IdempotencyKey:
    return IdempotencyKey(f"key-{number:016d}")


def reservation(
    number: int,
    now: UnixMs,
    *,
    account: AccountId = ACCOUNT,
    idempotency_key: IdempotencyKey | None = None,
    kind: TransactionKind = TransactionKind.ORIGINAL,
    replaces: TransactionId | None = None,
    amount: int = 100,
    fee_wei: int = 10,
    limits: tuple[RollingLimit, ...] = (),
) -> Reservation:
    """One transaction that takes `amount` of the token, `fee_wei` and one of the count of transactions."""
    return Reservation(
        id=transaction_id(number),
        account=account,
        client=CLIENT,
        idempotency_key=idempotency_key or key(number),
        request_digest=sha256(b"%d" % number).hexdigest(),
        kind=kind,
        replaces=replaces,
        chain_id=31337,
        payload=EvmPayload(
            to=TOKEN,
            value_wei=2**256 - 1,
            data=b"\x01\x02",
            gas_limit=100_000,
            max_fee_per_gas_wei=30 * 10**9,
            max_priority_fee_per_gas_wei=10**9,
        ),
        policy_hash="f" * 64,
        charges=(
            Charge(resource=TOKEN_USE, amount=amount),
            Charge(resource=FEE, amount=fee_wei),
            Charge(resource=TRANSACTIONS, amount=1),
        ),
        limits=limits,
        now=now,
    )


def decided(slot: TransactionRecord) -> AuditRecord:
    """What the audit trail is to say of a slot."""
    return AuditRecord(
        at=slot.reserved_at,
        client=slot.client,
        method="SignEvmTransaction",
        account=slot.account,
        request_digest=slot.request_digest,
        actions=("a test",),
        policy_hash=slot.policy_hash,
        rules=(),
        verdict="approved",
        details=(),
        transaction=slot.id,
        nonce=slot.nonce,
    )


def trail_of(ledger: Path) -> Path:
    """Where the audit trail is kept beside a ledger."""
    return ledger.with_suffix(".audit")


def signed(number: int) -> SignedBytes:
    """Bytes that stand for the signed transaction of `reservation(number, …)`."""
    return SignedBytes(raw=b"\x02raw%d" % number, hash="0x" + sha256(b"\x02raw%d" % number).hexdigest())


def payload_hash(number: int) -> str:
    return sha256(b"payload%d" % number).hexdigest()


def token_limit(limit: int, window_s: int = HOUR_S) -> RollingLimit:
    return RollingLimit(resource=TOKEN_USE, window_s=window_s, limit=limit)
