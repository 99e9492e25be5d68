"""A request whose key needs a person's confirmation goes to that person; every other one goes on at once.

Judged on arrival, so that nobody is bothered with what the policy denies; judged again when its turn has
come, and once more when the person has confirmed, since each of the two waits may be long. Nonce and budget
are reserved when its turn has come: what waits in the queue holds neither.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from signer.domain.accounts import AccountId
from signer.domain.actions import Swap
from signer.domain.decisions import Denied, Violation
from signer.domain.errors import PreconditionError, RejectedError, SignerError
from signer.domain.reasons import DenyReason, FailReason
from signer.domain.records import TransactionRecord
from signer.domain.rotation import use_of
from signer.domain.time import MS_PER_S, UnixMs
from signer.domain.transactions import TransactionId
from signer.policy.surroundings import BROADCAST_NEEDS_S
from signer.ports.clock import Clock
from signer.ports.events import EventLog
from signer.ports.key_backend import AttendedBackend
from signer.service.accounts import Accounts
from signer.service.approvals.approval import Approval, Wanted
from signer.service.approvals.approvals import ApprovalOutcome, Approvals
from signer.service.approvals.briefing import Briefing
from signer.service.path.conclude import Case, Conclude
from signer.service.path.record import describe
from signer.service.path.sign import said_no

PERSON_NEEDS_MS = 15 * MS_PER_S
"""Less than this before a swap's deadline is no time to read and to press."""
_BROADCAST_NEEDS_MS = BROADCAST_NEEDS_S * MS_PER_S

Answer = TransactionRecord | Denied
Build = Callable[[UnixMs | None], Awaitable[Case]]
"""Makes the case anew, as of now. Where a person takes their time, it is given when the client asked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Told:
    verdict: str
    reasons: tuple[str, ...]
    message: str


class Attend:
    """Carries out verdicts, with a person's confirmation where the account's key needs one."""

    def __init__(
        self,
        *,
        accounts: Accounts,
        approvals: Approvals,
        briefing: Briefing,
        conclude: Conclude,
        new_id: Callable[[], TransactionId],
        clock: Clock,
        log: EventLog,
    ) -> None:
        self._accounts = accounts
        self._approvals = approvals
        self._briefing = briefing
        self._conclude = conclude
        self._new_id = new_id
        self._clock = clock
        self._log = log

    async def __call__(self, account: AccountId, build: Build) -> Answer:
        """Signed record, or the denial: by the policy, the person, the client who gave up, or the time."""
        device = self._accounts.binding(account).device
        if device is None:
            return await self._conclude(await build(None))
        asked_at = self._clock.now()
        case = await build(asked_at)
        if isinstance(case.decision, Denied):
            return await self._conclude(case)
        wanted = self._wanted(case, device, asked_at)
        if wanted.ends_at - self._clock.now() < PERSON_NEEDS_MS:
            return await self._conclude.refuse(case, _too_soon(wanted))
        with self._approvals.entered(wanted) as approval:
            return await self._before_person(case, approval, build)

    async def _before_person(self, case: Case, approval: Approval, build: Build) -> Answer:
        told = _Told(verdict="failed", reasons=(FailReason.BROKEN,), message="see the log")
        try:
            answer = await self._in_turn(case, approval, build)
            told = _told(answer)
        except RejectedError as rejected:  # it ended in the queue: nothing was reserved
            answer = await self._conclude.refuse(case, said_no(rejected))
            told = _told(answer)
        except SignerError as error:
            told = _Told(verdict="failed", reasons=_reasons(error), message=str(error))
            if isinstance(error, PreconditionError) and error.reason is FailReason.DEVICE_OUTCOME_UNKNOWN:
                await self._stop(approval.wanted, error)
            raise
        finally:
            self._remember(case, approval, told)
        return answer

    async def _in_turn(self, case: Case, approval: Approval, build: Build) -> Answer:
        wanted = approval.wanted
        async with AsyncExitStack() as stack:
            async with self._explained(case, approval):
                await stack.enter_async_context(self._approvals.turn(approval))
                approval.require_wanted()
                self._accounts.require_signing(wanted.account, use_of(case.kind, case.client))
                case = await build(wanted.asked_at)
            # Explained anew: prices and holdings of before the wait are no reason to confirm.
            async with self._explained(case, approval):
                return await self._conclude(case, approval)

    @asynccontextmanager
    async def _explained(self, case: Case, approval: Approval) -> AsyncIterator[None]:
        """Gather beside the wait what a person wants to know: it holds nothing up."""
        gathering = asyncio.create_task(self._explain(case, approval))
        try:
            await asyncio.sleep(0)  # it begins with the budget, which must not have this request in it
            yield
        finally:
            gathering.cancel()

    async def _explain(self, case: Case, approval: Approval) -> None:
        try:
            approval.explain(await self._briefing(case))
        except Exception as bug:  # noqa: BLE001 - supervision: what people are told never stops a signature
            self._log.event("approval.not_explained", transaction=approval.wanted.id, bug=repr(bug))

    async def _stop(self, wanted: Wanted, error: PreconditionError) -> None:
        """Nothing is shown again by itself: whoever looks at the device resumes the account."""
        self._log.event("approval.outcome_unknown", transaction=wanted.id, problem=str(error))
        reason = f"{wanted.device.device} was lost in mid-review: look at it, reject what it shows, resume"
        await self._accounts.pause(wanted.account, reason)

    def _wanted(self, case: Case, device: AttendedBackend, asked_at: UnixMs) -> Wanted:
        ends_at = asked_at + device.approval_timeout_ms
        if isinstance(case.action, Swap):
            ends_at = min(ends_at, case.action.deadline * MS_PER_S - _BROADCAST_NEEDS_MS)
        return Wanted(
            id=self._new_id(),
            account=case.account,
            wallet=self._accounts.binding(case.account).account.wallet,
            client=case.client,
            idempotency_key=case.idempotency_key,
            method=case.method,
            kind=case.kind,
            device=device,
            asked_at=asked_at,
            ends_at=UnixMs(ends_at),
            policy_hash=case.policy.hash,
        )

    def _remember(self, case: Case, approval: Approval, told: _Told) -> None:
        self._approvals.remember(
            ApprovalOutcome(
                wanted=approval.wanted,
                summary=describe(case.action),
                verdict=told.verdict,
                reasons=told.reasons,
                message=told.message,
                at=self._clock.now(),
            )
        )


def _told(answer: Answer) -> _Told:
    if isinstance(answer, Denied):
        words = "; ".join(f"{each.rule}: {each.actual} (allowed {each.limit})" for each in answer.violations)
        return _Told(
            verdict="denied", reasons=tuple(each.reason for each in answer.violations), message=words
        )
    return _Told(verdict="signed", reasons=(), message="")


def _reasons(error: SignerError) -> tuple[str, ...]:
    reason = getattr(error, "reason", None)
    return () if reason is None else (str(reason),)


def _too_soon(wanted: Wanted) -> Denied:
    violation = Violation(
        reason=DenyReason.DEADLINE_TOO_SOON,
        rule="deadline",
        limit=str(-(-(wanted.asked_at + PERSON_NEEDS_MS + _BROADCAST_NEEDS_MS) // MS_PER_S)),
        actual=str((wanted.ends_at + _BROADCAST_NEEDS_MS) // MS_PER_S),
        unit="unix s",
    )
    return Denied(violations=(violation,), trace=("person's time",))
