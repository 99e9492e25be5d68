"""SignEvmTransaction: decode, judge, reserve and record, sign, record, answer.

In that order, which is the safety.
"""

from functools import partial

from signer.domain.decisions import Denied
from signer.domain.records import TransactionRecord
from signer.domain.requests import SignRequest
from signer.domain.slots import TransactionKind
from signer.domain.time import UnixMs
from signer.service.accounts import Accounts
from signer.service.clients import Client
from signer.service.path.attend import Attend
from signer.service.path.conclude import Case
from signer.service.path.judge import Judge
from signer.service.path.replay import Replay
from signer.service.wallets.fallback import Fallback
from signer.service.wallets.turn import Turn

METHOD = "SignEvmTransaction"


class SignEvmTransaction:
    """Signs one transaction on a fresh nonce."""

    def __init__(
        self,
        *,
        accounts: Accounts,
        turn: Turn,
        fallback: Fallback,
        replay: Replay,
        judge: Judge,
        attend: Attend,
    ) -> None:
        self._accounts = accounts
        self._turn = turn
        self._fallback = fallback
        self._replay = replay
        self._judge = judge
        self._attend = attend

    async def __call__(self, client: Client, request: SignRequest) -> TransactionRecord | Denied:
        """Signed record, or the denial. The same key and content give the same record for ever.

        When the account cannot sign, the error names the next one of its wallet.
        """
        client.require(METHOD, request.account)
        work = partial(self._work, client, request)
        answer = self._replay.once(client.name, request.idempotency_key, request.request_digest, work)
        return await self._fallback.naming(client, METHOD, request.account, request.payload, answer)

    async def _work(self, client: Client, request: SignRequest) -> TransactionRecord | Denied:
        await self._accounts.ensure_open(request.account)
        self._accounts.require_signing(request.account)
        await self._turn.require_device(request.account)
        return await self._attend(request.account, partial(self._case, client, request))

    async def _case(self, client: Client, request: SignRequest, asked_at: UnixMs | None) -> Case:
        judgement = await self._judge(
            request.account, request.payload, request.claim, with_usage=False, asked_at=asked_at
        )
        self._turn.require(request.account, judgement.action, judgement.decision)
        return Case(
            method=METHOD,
            client=client.name,
            idempotency_key=request.idempotency_key,
            request_digest=request.request_digest,
            account=request.account,
            kind=TransactionKind.ORIGINAL,
            replaces=None,
            payload=request.payload,
            action=judgement.action,
            policy=judgement.policy,
            decision=judgement.decision,
            recheck=partial(self._recheck, request, asked_at),
            claim=request.claim,
            quotes=judgement.quotes,
        )

    async def _recheck(self, request: SignRequest, asked_at: UnixMs | None) -> Denied | None:
        again = await self._judge(
            request.account, request.payload, request.claim, with_usage=False, asked_at=asked_at
        )
        if isinstance(again.decision, Denied):
            return again.decision
        self._turn.require_recipient(request.account, again.action)
        return None
