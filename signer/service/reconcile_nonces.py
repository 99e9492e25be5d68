"""ReconcileNonces: the ledger's nonces beside the chain's. Reports; changes the ledger only when told to."""

from dataclasses import dataclass

from signer.domain.accounts import AccountId
from signer.domain.errors import PreconditionError
from signer.domain.reasons import FailReason
from signer.ports.audit import Audit
from signer.ports.clock import Clock
from signer.ports.ledger import AccountStatus, Ledger
from signer.service.accounts import Accounts
from signer.service.clients import Client, Role
from signer.service.path.record import operator_act
from signer.service.policies import Policies

METHOD = "ReconcileNonces"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reconciliation:
    """Counts of the chain and of the ledger, what differs, and whether the ledger was changed."""

    chain_nonce_latest: int
    chain_nonce_finalized: int
    ledger_next_nonce: int
    free_nonces: tuple[int, ...]
    findings: tuple[str, ...]
    applied: bool


def differences(status: AccountStatus, latest: int) -> tuple[str, ...]:
    """What the chain and the ledger disagree about, for people; empty when they agree."""
    findings = []
    if latest > status.next_nonce:
        findings.append(
            f"the chain has {latest} transactions of this account, the ledger has handed out nonces up to "
            f"{status.next_nonce - 1}: another holder of the key has signed"
        )
    used = [nonce for nonce in status.free_nonces if nonce < latest]
    if used:
        findings.append(f"nonces {used} were never signed here, but the chain has used them")
    return tuple(findings)


class ReconcileNonces:
    """Compares, and takes the chain's count over where no signature stands in the way."""

    def __init__(
        self, *, accounts: Accounts, policies: Policies, ledger: Ledger, audit: Audit, clock: Clock
    ) -> None:
        self._accounts = accounts
        self._policies = policies
        self._ledger = ledger
        self._audit = audit
        self._clock = clock

    async def __call__(self, client: Client, account: AccountId, *, apply: bool) -> Reconciliation:
        """Raises PreconditionError when asked to apply to an account that is not paused."""
        client.require_role(Role.ADMIN, METHOD)
        binding = self._accounts.binding(account)
        await self._accounts.ensure_open(account)
        head, finalized = await binding.chain.head(), await binding.chain.finalized()
        latest = await binding.chain.transaction_count(binding.account.address, head.number)
        final = await binding.chain.transaction_count(binding.account.address, finalized.number)
        status = await self._status(account)
        findings = differences(status, latest)
        if apply and findings:
            await self._apply(client, account, latest, findings)
            status = await self._status(account)
        return Reconciliation(
            chain_nonce_latest=latest,
            chain_nonce_finalized=final,
            ledger_next_nonce=status.next_nonce,
            free_nonces=status.free_nonces,
            findings=findings,
            applied=apply and bool(findings),
        )

    async def _apply(self, client: Client, account: AccountId, nonce: int, findings: tuple[str, ...]) -> None:
        if self._accounts.signs(account):
            text = f"{account} signs: pause it before its nonces are changed"
            raise PreconditionError(FailReason.LEDGER_NEEDS_RECONCILE, text)
        await self._audit.append(
            operator_act(
                client=client.name,
                method=METHOD,
                account=account,
                details=(*findings, f"next nonce taken over from the chain: {nonce}"),
                policy_hash=self._policies.current.hash,
                at=self._clock.now(),
            )
        )
        await self._ledger.take_over_nonce(account, nonce, self._clock.now())

    async def _status(self, account: AccountId) -> AccountStatus:
        status = await self._ledger.account(account)
        if status is None:
            raise PreconditionError(FailReason.LEDGER_NEEDS_RECONCILE, f"{account} is not in the ledger yet")
        return status
