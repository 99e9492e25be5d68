"""The ledger of signatures as a port: nonces, slots and budget, each change durable before it is answered."""

from collections.abc import AsyncGenerator, Callable, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeAlias

from signer.domain.accounts import AccountId, AccountState
from signer.domain.budget import Charge, Excess, RollingLimit
from signer.domain.chain import Receipt
from signer.domain.events import Cursor, TransactionEvent
from signer.domain.records import TransactionRecord
from signer.domain.rotation import Rotation, RotationId
from signer.domain.slots import SlotEvent, SlotState, TransactionKind
from signer.domain.time import UnixMs
from signer.domain.transactions import ClientName, EvmPayload, IdempotencyKey, SignedBytes, TransactionId
from signer.ports.audit import AuditRecord


@dataclass(frozen=True, slots=True, kw_only=True)
class Reservation:
    """A nonce and a budget wanted for one transaction.

    `request_digest` is SHA-256 over everything that the client sent; the same key with another digest is a
    misuse. `replaces` names the transaction whose nonce is taken over (replacement, cancellation); its
    charges stay, `charges` are what comes on top.
    """

    id: TransactionId
    account: AccountId
    client: ClientName
    idempotency_key: IdempotencyKey
    request_digest: str
    kind: TransactionKind
    replaces: TransactionId | None
    chain_id: int
    payload: EvmPayload
    policy_hash: str
    charges: tuple[Charge, ...]
    limits: tuple[RollingLimit, ...]
    now: UnixMs


@dataclass(frozen=True, slots=True, kw_only=True)
class Reserved:
    """The slot is durable. `record.state` is RESERVED and `record.nonce` is its nonce."""

    record: TransactionRecord


@dataclass(frozen=True, slots=True, kw_only=True)
class AlreadyKnown:
    """The client used this key before; `record` is what came of it. The caller compares `request_digest`."""

    record: TransactionRecord


@dataclass(frozen=True, slots=True, kw_only=True)
class OverLimit:
    """The charges do not fit; nothing was reserved."""

    excesses: tuple[Excess, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class NotSigning:
    """The account does not sign now; nothing was reserved."""

    state: AccountState
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class NotReplaceable:
    """The transaction to be replaced is not the newest open one of its nonce; nothing was reserved."""

    state: SlotState
    newest: TransactionId


Decided: TypeAlias = Callable[[TransactionRecord], AuditRecord]
"""What the audit trail is to say of a slot once it is there, with the nonce that it got."""

ReserveOutcome: TypeAlias = Reserved | AlreadyKnown | OverLimit | NotSigning | NotReplaceable


@dataclass(frozen=True, slots=True, kw_only=True)
class SlotChange:
    """One step of one transaction's life cycle; `receipt` accompanies RECEIPT_SEEN and RECEIPT_FINAL."""

    id: TransactionId
    event: SlotEvent
    receipt: Receipt | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountStatus:
    """Whether an account signs, and why not. A reason beside DRAINING means that the drain is held."""

    account: AccountId
    state: AccountState
    reason: str
    next_nonce: int
    free_nonces: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitUse:
    """Use of one rolling limit now."""

    limit: RollingLimit
    used: int


class Ledger(Protocol):
    """One durable book. Every method raises UnavailableError when the book cannot be written or read."""

    async def open_account(self, account: AccountId, first_nonce: int, now: UnixMs) -> AccountStatus:
        """Make the account known, beginning at the chain's transaction count.

        Does nothing when it is known already.
        """
        ...

    async def account(self, account: AccountId) -> AccountStatus | None:
        """Status of an account, or None when it was never opened."""
        ...

    async def pause(self, account: AccountId, reason: str, now: UnixMs) -> None:
        """Stop signing for the account; survives a restart."""
        ...

    async def resume(self, account: AccountId, now: UnixMs) -> None:
        """Let the account sign again."""
        ...

    async def find(self, client: ClientName, key: IdempotencyKey) -> TransactionRecord | None:
        """Transaction that this client asked for under this key."""
        ...

    async def get(self, transaction: TransactionId) -> TransactionRecord | None:
        """Transaction by its id."""
        ...

    async def reserve(self, reservation: Reservation, decided: Decided) -> ReserveOutcome:
        """Take the lowest free nonce and the budget in one durable transaction, or say why not.

        The audit trail's record of a slot becomes durable with it, and never after it. Raises
        UnavailableError when the trail cannot be written: then nothing was reserved.
        """
        ...

    async def mark_signed(
        self, transaction: TransactionId, signed: SignedBytes, payload_hash: str, now: UnixMs
    ) -> TransactionRecord:
        """Make the signature durable.

        Raises BrokenError if another payload was ever signed for this nonce.
        """
        ...

    async def release(self, transaction: TransactionId, now: UnixMs) -> None:
        """The signature never left: give nonce, budget and idempotency key back."""
        ...

    async def apply(self, changes: Sequence[SlotChange], now: UnixMs) -> None:
        """Record what the chain or the client said, all or nothing.

        A final receipt settles the charges of its nonce.
        """
        ...

    async def unsettled(self, account: AccountId, *, below: int) -> Sequence[TransactionRecord]:
        """Transactions that the chain may have something new about, by nonce, then by time of signing.

        Their signature is out and their outcome is not final; they are mined, or their nonce is below the
        chain's count.
        """
        ...

    async def usage(
        self, account: AccountId, limits: Sequence[RollingLimit], now: UnixMs
    ) -> Sequence[LimitUse]:
        """Use of the given limits."""
        ...

    async def take_over_nonce(self, account: AccountId, nonce: int, now: UnixMs) -> None:
        """Let the next nonce be `nonce` (operator's reconciliation).

        Raises BrokenError if a signature stands in the way.
        """
        ...

    async def catch_up(self, account: AccountId, count: int, now: UnixMs) -> None:
        """Hand out no nonce below the chain's count: somebody else who holds the key has used it."""
        ...

    async def rotations(self) -> Sequence[Rotation]:
        """Every rotation, in the order in which they began."""
        ...

    async def begin_rotation(
        self, old: AccountId, new: AccountId, first_nonce: int, now: UnixMs, *, emergency: bool
    ) -> Rotation:
        """Let `old` drain into `new`, which is opened at `first_nonce` unless it is known; one durable step.

        An open rotation to the same account is returned as it is, made urgent if `emergency`. Raises
        PreconditionError(ROTATION_NOT_POSSIBLE) when one of the two is taken.
        """
        ...

    async def finish_rotation(self, rotation: RotationId, dust: str, now: UnixMs) -> Rotation:
        """Retire the old account for ever. Raises PreconditionError while one of its slots is open."""
        ...

    async def turn_rotation_back(self, rotation: RotationId, now: UnixMs) -> Rotation:
        """Let the old account trade again and drain the new one into it. Returns that second rotation."""
        ...

    def events(self, after: Cursor | None) -> AsyncGenerator[TransactionEvent, None]:
        """Life-cycle changes after the cursor, for ever; None begins with the next one."""
        ...
