"""What the handlers call: one callable per RPC, in words of the domain. No handler knows how it is done."""

from collections.abc import AsyncGenerator, Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol, TypeAlias

from signer.domain.accounts import AccountId, ChainName
from signer.domain.decisions import Denied
from signer.domain.events import Cursor
from signer.domain.records import TransactionRecord
from signer.domain.requests import EvaluateRequest, FeeBumpRequest, SignRequest
from signer.domain.transactions import IdempotencyKey, TransactionId
from signer.ports.audit import AuditReport
from signer.service.cancel_transaction import GivenUp
from signer.service.clients import Client
from signer.service.evaluate import Evaluation
from signer.service.get_budget import Budget
from signer.service.list_accounts import GrantedAccount
from signer.service.reconcile_nonces import Reconciliation
from signer.service.rotation.report import RotationReport
from signer.service.rotation.rotate_account import RotateRequest
from signer.service.wallets.choose_account import ChoiceRequest, Choices
from signer.service.watch_approvals import Picture
from signer.service.watch_transactions import Change

SignEvmTransaction: TypeAlias = Callable[[Client, SignRequest], Awaitable[TransactionRecord | Denied]]
TakeOverNonce: TypeAlias = Callable[[Client, FeeBumpRequest], Awaitable[TransactionRecord | Denied]]
CancelTransaction: TypeAlias = Callable[
    [Client, FeeBumpRequest], Awaitable[TransactionRecord | Denied | GivenUp]
]


class GetTransaction(Protocol):
    """Looks a transaction up by exactly one of its two names."""

    async def __call__(
        self, client: Client, *, transaction: TransactionId | None = None, key: IdempotencyKey | None = None
    ) -> TransactionRecord:
        """Raises NotFoundError."""
        ...


class ReloadPolicy(Protocol):
    """Reads the policy again."""

    async def __call__(self, client: Client, *, dry_run: bool) -> tuple["HasHash", "HasHash"]:
        """Policies (before, after). Raises ConfigurationError and keeps the old one."""
        ...


class ReconcileNonces(Protocol):
    """Compares the ledger's nonces with the chain's."""

    async def __call__(self, client: Client, account: AccountId, *, apply: bool) -> Reconciliation:
        """Changes the ledger only with `apply`."""
        ...


class HasHash(Protocol):
    """A version of the policy, of which the wire knows the hash only."""

    @property
    def hash(self) -> str:
        """SHA-256 of the file, 64 hex digits."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class SignerUseCases:
    """Behind the Signer service."""

    list_accounts: Callable[[Client, ChainName | None], Awaitable[tuple[GrantedAccount, ...]]]
    choose_account: Callable[[Client, ChoiceRequest], Awaitable[Choices]]
    sign_evm_transaction: SignEvmTransaction
    evaluate: Callable[[Client, EvaluateRequest], Awaitable[Evaluation]]
    replace_transaction: TakeOverNonce
    cancel_transaction: CancelTransaction
    report_broadcast: Callable[[Client, TransactionId, str], Awaitable[TransactionRecord]]
    get_transaction: GetTransaction
    get_budget: Callable[[Client, AccountId], Awaitable[Budget]]
    watch_transactions: Callable[[Client, AccountId | None, Cursor | None], AsyncGenerator[Change]]


@dataclass(frozen=True, slots=True, kw_only=True)
class AdminUseCases:
    """Behind the Admin service."""

    pause: Callable[[Client, AccountId | None, str], Awaitable[tuple[AccountId, ...]]]
    resume: Callable[[Client, AccountId | None], Awaitable[tuple[AccountId, ...]]]
    reload_policy: ReloadPolicy
    reconcile_nonces: ReconcileNonces
    rotate_account: Callable[[Client, RotateRequest], Awaitable[RotationReport]]
    watch_approvals: Callable[[Client], AsyncGenerator[Picture]]
    dismiss_approval: Callable[[Client, TransactionId, str], Awaitable[bool]]
    verify_audit: Callable[[Client], Awaitable[AuditReport]]
