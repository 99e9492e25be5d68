"""SignEvmTransaction: decode, judge, reserve, record, sign, record, answer.

In that order, which is the safety.
"""

from collections.abc import Callable
from functools import partial

from signer.domain.accounts import evm_chain_id
from signer.domain.decisions import Denied
from signer.domain.records import TransactionRecord
from signer.domain.requests import SignRequest
from signer.domain.slots import TransactionKind
from signer.domain.transactions import TransactionId
from signer.ports.audit import Audit
from signer.ports.clock import Clock
from signer.ports.ledger import Ledger, Reservation
from signer.service.accounts import Accounts
from signer.service.clients import Client
from signer.service.path import record
from signer.service.path.judge import Judge, Judgement
from signer.service.path.replay import Replay
from signer.service.path.reserve import reserve
from signer.service.path.sign import Sign

METHOD = "SignEvmTransaction"


class SignEvmTransaction:
    """Signs one transaction on a fresh nonce."""

    def __init__(
        self,
        *,
        accounts: Accounts,
        replay: Replay,
        judge: Judge,
        sign: Sign,
        ledger: Ledger,
        audit: Audit,
        clock: Clock,
        new_id: Callable[[], TransactionId],
    ) -> None:
        self._accounts = accounts
        self._replay = replay
        self._judge = judge
        self._sign = sign
        self._ledger = ledger
        self._audit = audit
        self._clock = clock
        self._new_id = new_id

    async def __call__(self, client: Client, request: SignRequest) -> TransactionRecord | Denied:
        """Signed record, or the denial. The same key and content give the same record for ever."""
        client.require(METHOD, request.account)
        work = partial(self._work, client, request)
        return await self._replay.once(client.name, request.idempotency_key, request.request_digest, work)

    async def _work(self, client: Client, request: SignRequest) -> TransactionRecord | Denied:
        await self._accounts.ensure_open(request.account)
        self._accounts.require_signing(request.account)
        judgement = await self._judge(request.account, request.payload, request.claim, with_usage=False)
        if isinstance(judgement.decision, Denied):
            return await self._refuse(client, request, judgement, judgement.decision)
        slot = await reserve(self._ledger, self._reservation(client, request, judgement))
        if isinstance(slot, Denied):
            return await self._refuse(client, request, judgement, slot)
        entry = record.approved(
            method=METHOD,
            record=slot,
            action=judgement.action,
            rules=judgement.decision.trace,
            at=self._clock.now(),
        )
        signed = await self._sign(slot, entry, partial(self._recheck, request))
        if isinstance(signed, Denied):
            return await self._refuse(client, request, judgement, signed)
        return signed

    def _reservation(self, client: Client, request: SignRequest, judgement: Judgement) -> Reservation:
        decision = judgement.decision
        if isinstance(decision, Denied):
            raise TypeError("a denied request reserves nothing")
        return Reservation(
            id=self._new_id(),
            account=request.account,
            client=client.name,
            idempotency_key=request.idempotency_key,
            request_digest=request.request_digest,
            kind=TransactionKind.ORIGINAL,
            replaces=None,
            chain_id=evm_chain_id(self._accounts.binding(request.account).account.chain),
            payload=request.payload,
            policy_hash=judgement.policy.hash,
            charges=decision.charges,
            limits=decision.limits,
            now=self._clock.now(),
        )

    async def _recheck(self, request: SignRequest) -> Denied | None:
        again = await self._judge(request.account, request.payload, request.claim, with_usage=False)
        return again.decision if isinstance(again.decision, Denied) else None

    async def _refuse(
        self, client: Client, request: SignRequest, judgement: Judgement, verdict: Denied
    ) -> Denied:
        await self._audit.append(
            record.denied(
                method=METHOD,
                client=client.name,
                account=request.account,
                request_digest=request.request_digest,
                action=judgement.action,
                policy_hash=judgement.policy.hash,
                verdict=verdict,
                at=self._clock.now(),
            )
        )
        return verdict
