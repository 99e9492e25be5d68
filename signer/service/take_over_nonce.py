"""A second transaction for the nonce of an earlier one: what replacing and cancelling share."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from signer.decode.evm.decoder import decode
from signer.domain.accounts import AccountId
from signer.domain.actions import Action, NotUnderstood
from signer.domain.decisions import Decision, Denied
from signer.domain.records import TransactionRecord
from signer.domain.requests import FeeBumpRequest
from signer.domain.slots import TransactionKind
from signer.domain.transactions import EvmPayload, TransactionId
from signer.policy.model import Policy
from signer.ports.audit import Audit
from signer.ports.clock import Clock
from signer.ports.ledger import Ledger, Reservation
from signer.service.accounts import Accounts
from signer.service.clients import Client
from signer.service.get_transaction import visible_transaction
from signer.service.path import record
from signer.service.path.replay import Replay
from signer.service.path.reserve import reserve
from signer.service.path.sign import Sign
from signer.service.policies import Policies


@dataclass(frozen=True, slots=True, kw_only=True)
class Takeover:
    """What makes a replacement a replacement, and a cancellation a cancellation.

    `judge` is asked for the account about the newest payload of the nonce and the one that takes it over.
    """

    method: str
    kind: TransactionKind
    payload: Callable[[TransactionRecord, FeeBumpRequest], EvmPayload]
    judge: Callable[[Policy, AccountId, EvmPayload, EvmPayload], Decision]


class TakeOverNonce:
    """Signs a second transaction on an open slot, under the rules of its kind."""

    def __init__(
        self,
        *,
        takeover: Takeover,
        accounts: Accounts,
        policies: Policies,
        replay: Replay,
        sign: Sign,
        ledger: Ledger,
        audit: Audit,
        clock: Clock,
        new_id: Callable[[], TransactionId],
    ) -> None:
        self._takeover = takeover
        self._accounts = accounts
        self._policies = policies
        self._replay = replay
        self._sign = sign
        self._ledger = ledger
        self._audit = audit
        self._clock = clock
        self._new_id = new_id

    async def __call__(self, client: Client, request: FeeBumpRequest) -> TransactionRecord | Denied:
        """Signed record, or the denial. NotFoundError for a transaction that the client may not see."""
        earlier = await visible_transaction(self._ledger, client, self._takeover.method, request.transaction)
        work = partial(self._work, client, request, earlier)
        return await self._replay.once(client.name, request.idempotency_key, request.request_digest, work)

    async def _work(
        self, client: Client, request: FeeBumpRequest, earlier: TransactionRecord
    ) -> TransactionRecord | Denied:
        await self._accounts.ensure_open(earlier.account)
        self._accounts.require_signing(earlier.account)
        policy = self._policies.current
        payload = self._takeover.payload(earlier, request)
        action = self._understand(policy, earlier.account, payload)
        refuse = partial(
            self._refuse,
            client=client,
            request=request,
            account=earlier.account,
            action=action,
            policy=policy,
        )
        decision = self._judge(policy, earlier, payload)
        if isinstance(decision, Denied):
            return await refuse(verdict=decision)
        slot = await reserve(
            self._ledger,
            Reservation(
                id=self._new_id(),
                account=earlier.account,
                client=client.name,
                idempotency_key=request.idempotency_key,
                request_digest=request.request_digest,
                kind=self._takeover.kind,
                replaces=earlier.id,
                chain_id=earlier.unsigned.chain_id,
                payload=payload,
                policy_hash=policy.hash,
                charges=decision.charges,
                limits=decision.limits,
                now=self._clock.now(),
            ),
        )
        if isinstance(slot, Denied):
            return await refuse(verdict=slot)
        entry = record.approved(
            method=self._takeover.method,
            record=slot,
            action=action,
            rules=decision.trace,
            at=self._clock.now(),
        )
        signed = await self._sign(slot, entry, partial(self._recheck, earlier, payload))
        if isinstance(signed, Denied):
            return await refuse(verdict=signed)
        return signed

    def _judge(self, policy: Policy, earlier: TransactionRecord, payload: EvmPayload) -> Decision:
        # The ledger makes sure that `earlier` is the newest of its nonce, and that the charges fit.
        return self._takeover.judge(policy, earlier.account, earlier.unsigned.payload, payload)

    async def _recheck(self, earlier: TransactionRecord, payload: EvmPayload) -> Denied | None:
        again = self._judge(self._policies.current, earlier, payload)
        return again if isinstance(again, Denied) else None

    def _understand(self, policy: Policy, account: AccountId, payload: EvmPayload) -> Action | NotUnderstood:
        rules = policy.account(account)
        return decode(payload, rules.contracts() if rules is not None else {})

    async def _refuse(
        self,
        *,
        client: Client,
        request: FeeBumpRequest,
        account: AccountId,
        action: Action | NotUnderstood,
        policy: Policy,
        verdict: Denied,
    ) -> Denied:
        await self._audit.append(
            record.denied(
                method=self._takeover.method,
                client=client.name,
                account=account,
                request_digest=request.request_digest,
                action=action,
                policy_hash=policy.hash,
                verdict=verdict,
                at=self._clock.now(),
            )
        )
        return verdict
