"""The signer as a port. Asking twice with the same key and content is always safe."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol, TypeAlias

from trader.domain.errors import Refusal
from trader.domain.ids import Address, ChainName, IdempotencyKey, WalletId
from trader.domain.quotes import TransactionDraft
from trader.domain.time import UnixMs

ROTATED_OUT = frozenset({"ACCOUNT_DRAINING", "ACCOUNT_RETIRED"})
"""Reasons of a refusal: the account signs nothing new any more, and asking later will not help."""

OUTCOME_UNKNOWN = "DEVICE_OUTCOME_UNKNOWN"
"""Reason of SignerNotReadyError: the device was lost while a person read. Nobody else signs it instead."""

IN_PROGRESS = "IN_PROGRESS"
"""Reason of SignerUnavailableError: the question under this key has no answer yet; a person may have it."""

A_PERSON_SAID_NO = frozenset({"REJECTED_ON_DEVICE", "NOT_CONFIRMED_IN_TIME", "DISMISSED_BY_OPERATOR"})
"""Reasons of a refusal: a person was asked, and is not to be asked the same again at once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SwapBelief:
    """What we believe a swap does; the signer compares it with the bytes."""

    token_in: Address
    token_out: Address
    amount_in: int
    minimum_out: int
    quoted_out: int
    quoted_at: UnixMs


@dataclass(frozen=True, slots=True, kw_only=True)
class ApprovalBelief:
    """What we believe an approval does."""

    token: Address
    spender: Address
    amount: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TransferBelief:
    """What we believe a transfer to another wallet of ours does; `token` None is the native coin."""

    token: Address | None
    recipient: Address
    amount: int


Belief: TypeAlias = SwapBelief | ApprovalBelief | TransferBelief


@dataclass(frozen=True, slots=True, kw_only=True)
class Signed:
    """The signer's answer. `raw` goes to a node and nowhere else."""

    transaction_id: str
    nonce: int
    raw: bytes = field(repr=False)
    transaction_hash: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SignerRecord:
    """What the signer's own ledger knows under one of our keys; no bytes.

    `state` is the name of the slot's state, for example `signed`, `mined`, `final`, `released` or `replaced`.
    """

    transaction_id: str
    transaction_hash: str
    nonce: int
    state: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """The policy says no; every violated rule is listed."""

    refusals: tuple[Refusal, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class GivenUp:
    """Answer to a cancellation of what waited for a person: nothing was signed, and nothing will be."""

    transaction_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Allowed:
    """Verdict of `evaluate`: the signer would sign this now."""

    actions: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class SignerAccount:
    """An account as the signer lists it. `state` is `active`, `paused`, `draining` or `retired`.

    `successor` takes over after a rotation; `swept`: all but dust is there already, final on the chain.
    `group` is the signer's wallet that it belongs to. `ready`: it would sign now, else `not_ready_reason`.
    `person_ms`: how long the person before its key may take for each signature; 0 where there is none.
    """

    wallet: WalletId
    backend: str
    state: str
    pause_reason: str
    successor: WalletId | None = None
    swept: bool = False
    group: str = ""
    ready: bool = True
    not_ready_reason: str = ""
    person_ms: int = 0

    @property
    def leaving(self) -> bool:
        """It is being rotated out, or was."""
        return self.successor is not None and self.state != "active"

    @property
    def emptied(self) -> bool:
        """The signer has nothing more to send from it."""
        return self.leaving and (self.swept or self.state == "retired")


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountChoice:
    """What one account of a wallet would do now. `max_amount_in`: most of one trade, base units; 0: nothing.

    `reason` is a code and `message` for people; both are empty when it would sign.
    """

    wallet: WalletId
    would_sign: bool
    max_amount_in: int
    reason: str = ""
    message: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """Which account would sign a trade, None when none would; and every account, in the wallet's order."""

    wallet: WalletId | None
    accounts: tuple[AccountChoice, ...]


class PersonPhase(StrEnum):
    """How far a signature is that waits for a person."""

    QUEUED = "queued"
    WAITING = "waiting_for_confirmation"
    CONFIRMED = "confirmed"
    ENDED = "ended"


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """A signature that waits for a person: the key that asked for it, and the line for people."""

    key: IdempotencyKey
    wallet: WalletId
    transaction_id: str
    phase: PersonPhase
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class BudgetLine:
    """Use of one rolling limit of the signer's policy."""

    resource: str
    window_s: int
    limit: int
    used: int
    unit: str


class Signer(Protocol):
    """Asks the signer.

    Every method raises SignerUnavailableError (no verdict) or SignerNotReadyError (somebody must act first).
    `person_ms` is how much longer an answer may take because a person is asked.
    """

    async def accounts(self) -> Sequence[SignerAccount]:
        """Accounts that we have a grant for."""
        ...

    def account_changes(self) -> AsyncIterator[WalletId]:
        """Accounts as they change, from now on; ask `accounts` what they are then. Ends by raising."""
        ...

    def phases(self) -> AsyncIterator[Waiting]:
        """What waits for a person, and each change of it from now on. Ends by raising."""
        ...

    async def choose(self, group: str, chain: ChainName, token_in: Address, amount_in: int) -> Choice:
        """Which account of a wallet would sign a trade that gives so many base units now."""
        ...

    async def sign(
        self,
        key: IdempotencyKey,
        wallet: WalletId,
        draft: TransactionDraft,
        belief: Belief,
        *,
        person_ms: int = 0,
    ) -> Signed | Refused:
        """Ask for a signature."""
        ...

    async def evaluate(self, wallet: WalletId, draft: TransactionDraft, belief: Belief) -> Allowed | Refused:
        """Ask for the verdict only."""
        ...

    async def replace(
        self,
        key: IdempotencyKey,
        transaction_id: str,
        max_fee_per_gas_wei: int,
        max_priority_fee_per_gas_wei: int,
        *,
        person_ms: int = 0,
    ) -> Signed | Refused:
        """Same nonce and payload, higher fees."""
        ...

    async def cancel(
        self,
        key: IdempotencyKey,
        transaction_id: str,
        max_fee_per_gas_wei: int,
        max_priority_fee_per_gas_wei: int,
        *,
        person_ms: int = 0,
    ) -> Signed | Refused | GivenUp:
        """Same nonce, an empty transfer to ourselves; what still waits for a person is given up instead."""
        ...

    async def lookup(self, key: IdempotencyKey) -> SignerRecord | None:
        """What was signed under this key, without signing anything; None when the signer never did.

        Raises SignerUnavailableError (IN_PROGRESS) while it is being asked for, by whomever.
        """
        ...

    async def report_broadcast(self, transaction_id: str, transaction_hash: str) -> None:
        """Tell the signer that a node has the bytes. A hint; failing changes nothing."""
        ...

    async def budget(self, wallet: WalletId) -> Sequence[BudgetLine]:
        """What is left of the policy's rolling limits."""
        ...
