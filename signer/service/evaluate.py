"""Evaluate: the verdict that Sign would give now. Reserves nothing, signs nothing, records nothing."""

from dataclasses import dataclass

from signer.domain.decisions import Decision
from signer.domain.requests import EvaluateRequest
from signer.service.accounts import Accounts
from signer.service.clients import Client
from signer.service.path.judge import Judge
from signer.service.path.record import describe
from signer.service.wallets.fallback import Fallback
from signer.service.wallets.turn import Turn

METHOD = "Evaluate"


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """A verdict, which policy gave it, and what the signer understood."""

    decision: Decision
    policy_hash: str
    actions: tuple[str, ...]


class Evaluate:
    """Judges one transaction."""

    def __init__(self, *, accounts: Accounts, turn: Turn, fallback: Fallback, judge: Judge) -> None:
        self._accounts = accounts
        self._turn = turn
        self._fallback = fallback
        self._judge = judge

    async def __call__(self, client: Client, request: EvaluateRequest) -> Evaluation:
        """Raises PreconditionError for a paused account or out of turn: Sign would give no verdict either."""
        client.require(METHOD, request.account)
        answer = self._evaluation(request)
        return await self._fallback.naming(client, METHOD, request.account, request.payload, answer)

    async def _evaluation(self, request: EvaluateRequest) -> Evaluation:
        await self._accounts.ensure_open(request.account)
        self._accounts.require_signing(request.account)
        await self._turn.require_device(request.account)
        judgement = await self._judge(request.account, request.payload, request.claim, with_usage=True)
        self._turn.require(request.account, judgement.action, judgement.decision)
        return Evaluation(
            decision=judgement.decision,
            policy_hash=judgement.policy.hash,
            actions=(describe(judgement.action),),
        )
