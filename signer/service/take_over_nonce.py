"""A second transaction for the nonce of an earlier one: what replacing and cancelling share."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from signer.domain.accounts import AccountId
from signer.domain.decisions import Decision, Denied
from signer.domain.errors import PreconditionError
from signer.domain.reasons import FailReason
from signer.domain.records import TransactionRecord
from signer.domain.requests import FeeBumpRequest
from signer.domain.rotation import ROTATION_CLIENT, Use
from signer.domain.slots import TransactionKind
from signer.domain.time import UnixMs
from signer.domain.transactions import ClientName, EvmPayload, TransactionId
from signer.policy.model import Policy
from signer.ports.ledger import Ledger
from signer.service.accounts import Accounts
from signer.service.clients import Client
from signer.service.get_transaction import visible_transaction
from signer.service.path.attend import Attend
from signer.service.path.conclude import Case
from signer.service.path.replay import Replay
from signer.service.path.understand import understand
from signer.service.policies import Policies


def refuse_rotations(asked_by: ClientName, transaction: TransactionId, account: AccountId) -> None:
    """Raise PreconditionError for what a rotation asked for.

    A client that could outbid a sweep, or give one up, could hold up a drain.
    """
    if asked_by == ROTATION_CLIENT:
        text = f"transaction {transaction} is of the rotation of {account}, which replaces it itself"
        raise PreconditionError(FailReason.ACCOUNT_DRAINING, text)


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
        attend: Attend,
        ledger: Ledger,
    ) -> None:
        self._takeover = takeover
        self._accounts = accounts
        self._policies = policies
        self._replay = replay
        self._attend = attend
        self._ledger = ledger

    async def __call__(self, client: Client, request: FeeBumpRequest) -> TransactionRecord | Denied:
        """Signed record, or the denial. NotFoundError for a transaction that the client may not see."""
        earlier = await visible_transaction(self._ledger, client, self._takeover.method, request.transaction)
        refuse_rotations(earlier.client, earlier.id, earlier.account)
        work = partial(self._work, client, request, earlier)
        return await self._replay.once(client.name, request.idempotency_key, request.request_digest, work)

    async def _work(
        self, client: Client, request: FeeBumpRequest, earlier: TransactionRecord
    ) -> TransactionRecord | Denied:
        await self._accounts.ensure_open(earlier.account)
        self._accounts.require_signing(earlier.account, Use.IN_FLIGHT)
        return await self._attend(earlier.account, partial(self._case, client, request, earlier))

    async def _case(
        self, client: Client, request: FeeBumpRequest, earlier: TransactionRecord, _asked_at: UnixMs | None
    ) -> Case:
        policy = self._policies.current
        payload = self._takeover.payload(earlier, request)
        return Case(
            method=self._takeover.method,
            client=client.name,
            idempotency_key=request.idempotency_key,
            request_digest=request.request_digest,
            account=earlier.account,
            kind=self._takeover.kind,
            replaces=earlier.id,
            payload=payload,
            action=understand(policy, earlier.account, payload),
            policy=policy,
            decision=self._judge(policy, earlier, payload),
            recheck=partial(self._recheck, earlier, payload),
        )

    def _judge(self, policy: Policy, earlier: TransactionRecord, payload: EvmPayload) -> Decision:
        # The ledger makes sure that `earlier` is the newest of its nonce, and that the charges fit.
        return self._takeover.judge(policy, earlier.account, earlier.unsigned.payload, payload)

    async def _recheck(self, earlier: TransactionRecord, payload: EvmPayload) -> Denied | None:
        again = self._judge(self._policies.current, earlier, payload)
        return again if isinstance(again, Denied) else None
