"""Evaluate: the verdict that Sign would give now. Reserves nothing, signs nothing, records nothing."""

from dataclasses import dataclass

from signer.domain.decisions import Decision
from signer.domain.requests import EvaluateRequest
from signer.service.accounts import Accounts
from signer.service.clients import Client
from signer.service.path.judge import Judge
from signer.service.path.record import describe

METHOD = "Evaluate"


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """A verdict, which policy gave it, and what the signer understood."""

    decision: Decision
    policy_hash: str
    actions: tuple[str, ...]


class Evaluate:
    """Judges one transaction."""

    def __init__(self, *, accounts: Accounts, judge: Judge) -> None:
        self._accounts = accounts
        self._judge = judge

    async def __call__(self, client: Client, request: EvaluateRequest) -> Evaluation:
        """Raises PreconditionError for a paused account: Sign would give no verdict either."""
        client.require(METHOD, request.account)
        await self._accounts.ensure_open(request.account)
        self._accounts.require_signing(request.account)
        judgement = await self._judge(request.account, request.payload, request.claim, with_usage=True)
        return Evaluation(
            decision=judgement.decision,
            policy_hash=judgement.policy.hash,
            actions=(describe(judgement.action),),
        )
