"""Carries a drain out: looks, plans, signs by the ordinary path, broadcasts, looks again.

Remembers nothing that a crash could lose. A second signature for one nonce is a replacement or a
cancellation, and whatever was signed is in the ledger before it leaves, where a repeated step finds it.
"""

import asyncio
import contextlib
import hashlib
from dataclasses import replace
from functools import partial
from typing import assert_never

from signer.decode.evm.decoder import decode_drain
from signer.decode.evm.erc20 import approve_call, transfer_call
from signer.domain.accounts import AccountId, Address, address_of
from signer.domain.actions import DrainAction, Erc20Approve, Erc20Transfer, NativeTransfer
from signer.domain.budget import excesses
from signer.domain.decisions import Decision, Denied
from signer.domain.errors import BrokenError, PreconditionError, SignerError, UnavailableError
from signer.domain.records import TransactionRecord
from signer.domain.rotation import ROTATION_CLIENT, Rotation
from signer.domain.slots import SlotEvent, SlotState, TransactionKind
from signer.domain.time import UnixMs
from signer.domain.transactions import EvmPayload, IdempotencyKey, TransactionId
from signer.policy.draining import (
    DrainingPolicy,
    decide_drain,
    decide_drain_cancellation,
    decide_drain_replacement,
)
from signer.policy.excess import excess_violations
from signer.policy.model import Policy
from signer.policy.replacement import cancellation_of, replacement_of
from signer.ports.clock import Clock
from signer.ports.events import EventLog
from signer.ports.ledger import Ledger, SlotChange
from signer.service.accounts import Accounts
from signer.service.path.attend import Attend
from signer.service.path.conclude import Case
from signer.service.path.replay import Answer, Replay
from signer.service.policies import Policies
from signer.service.rotation.keys import NATIVE_COIN, fresh_key
from signer.service.rotation.plan import Broadcast, Position, Replace, Send, Step, Swept, Wait, plan
from signer.service.rotation.position import Positions, access_of, policy_of

METHOD = "RotateAccount"
_STEPS_PER_TURN = 64


class Drain:
    """Moves one rotation on, a turn at a time."""

    def __init__(
        self,
        *,
        accounts: Accounts,
        policies: Policies,
        positions: Positions,
        replay: Replay,
        attend: Attend,
        ledger: Ledger,
        clock: Clock,
        log: EventLog,
    ) -> None:
        self._accounts = accounts
        self._policies = policies
        self._positions = positions
        self._replay = replay
        self._attend = attend
        self._before_people: dict[AccountId, asyncio.Task[bool]] = {}
        self._ledger = ledger
        self._clock = clock
        self._log = log

    async def look(self, rotation: Rotation) -> tuple[Position, Step]:
        """Where the rotation stands and what comes next; changes nothing. Raises SignerError."""
        policy = policy_of(self._policies.current, rotation)
        position = await self._positions.read(rotation, policy)
        return position, plan(position, policy.successor)

    async def denial(self, rotation: Rotation, step: Step) -> Denied | None:
        """Why this step would not be signed now: by the policy, or by what its rolling limits have left."""
        if not isinstance(step, Send | Replace):
            return None
        account, payload = _what(rotation, step)
        decision = _decision(self._policies.current, rotation, step, payload)
        if isinstance(decision, Denied):
            return decision
        uses = await self._ledger.usage(account, decision.limits, self._clock.now())
        used = {(use.limit.resource, use.limit.window_s): use.used for use in uses}
        found = excesses(decision.limits, decision.charges, used)
        return Denied(violations=excess_violations(found), trace=decision.trace) if found else None

    async def turn(self, rotation: Rotation) -> None:
        """Do every step that can be done now. Raises SignerError.

        A step that a person confirms goes on beside, since a turn holds up every other account.
        """
        if not self._people_are_done(rotation.old):
            return
        known: set[TransactionId] = set()
        refused: set[TransactionId] = set()
        for _ in range(_STEPS_PER_TURN):
            policy = policy_of(self._policies.current, rotation)
            position = await self._positions.read(rotation, policy, frozenset(known), frozenset(refused))
            step = plan(position, policy.successor)
            self._accounts.set_swept(rotation.old, swept=isinstance(step, Swept))
            match step:
                case Broadcast(record=record):
                    if not await self._broadcast(record):
                        refused.add(record.id)
                    known.add(record.id)
                case Send() | Replace():
                    if self._accounts.binding(_account(rotation, step)).device is not None:
                        self._ask_people(rotation, step)
                        return
                    if not await self._signed(rotation, step):
                        return
                case Wait() | Swept():
                    return

    def _people_are_done(self, account: AccountId) -> bool:
        asked = self._before_people.get(account)
        if asked is None:
            return True
        if not asked.done():
            return False
        del self._before_people[account]
        return True

    def _ask_people(self, rotation: Rotation, step: Send | Replace) -> None:
        self._before_people[rotation.old] = asyncio.create_task(self._asked(rotation, step))

    async def _asked(self, rotation: Rotation, step: Send | Replace) -> bool:
        try:
            if await self._signed(rotation, step):
                return True
            reason = "a step was not confirmed: resume to be asked again"
        except (PreconditionError, BrokenError) as error:  # a bad signature was confirmed, too
            reason = str(error)
        except SignerError as error:  # out of reach: the next turn tries again
            self._log.event("rotation.not_signed", account=rotation.old, problem=str(error))
            return False
        # People are not asked the same again and again: the drain is held until one of them says so.
        if not self._accounts.view(rotation.old).reason:
            with contextlib.suppress(UnavailableError):
                await self._accounts.pause(rotation.old, reason)
        return False

    async def _signed(self, rotation: Rotation, step: Send | Replace) -> bool:
        answer = await self._sign(rotation, step)
        if isinstance(answer, Denied):
            reasons = [f"{each.reason}: {each.rule}" for each in answer.violations]
            self._log.event("rotation.denied", account=rotation.old, reasons=reasons)
            return False
        self._log.event("rotation.signed", account=rotation.old, transaction=answer.id)
        return True

    async def _broadcast(self, record: TransactionRecord) -> bool:
        """Whether the node has the bytes now."""
        if record.signed is None:
            return False
        objection = await access_of(self._accounts.binding(record.account)).broadcaster.broadcast(
            record.signed
        )
        if objection is not None:
            self._log.event("rotation.not_broadcast", transaction=record.id, problem=objection)
        elif record.state is SlotState.SIGNED:
            change = SlotChange(id=record.id, event=SlotEvent.BROADCAST_REPORTED)
            await self._ledger.apply((change,), self._clock.now())
        return objection is None

    async def _sign(self, rotation: Rotation, step: Send | Replace) -> Answer:
        account, payload = _what(rotation, step)
        key = await fresh_key(self._ledger, rotation, _name(step))
        digest = hashlib.sha256(f"{METHOD} {rotation.id} {key} {payload}".encode()).hexdigest()
        work = partial(self._work, rotation, account, step, payload, key, digest)
        return await self._replay.once(ROTATION_CLIENT, key, digest, work)

    async def _work(  # noqa: PLR0917 - bound once, by partial
        self,
        rotation: Rotation,
        account: AccountId,
        step: Send | Replace,
        payload: EvmPayload,
        key: IdempotencyKey,
        digest: str,
    ) -> Answer:
        async def case(_asked_at: UnixMs | None) -> Case:
            policy = self._policies.current
            contracts = policy_of(policy, rotation).rules.contracts()
            return Case(
                method=METHOD,
                client=ROTATION_CLIENT,
                idempotency_key=key,
                request_digest=digest,
                account=account,
                kind=step.kind if isinstance(step, Replace) else TransactionKind.ORIGINAL,
                replaces=step.record.id if isinstance(step, Replace) else None,
                payload=payload,
                action=decode_drain(payload, contracts),
                policy=policy,
                decision=_decision(policy, rotation, step, payload),
                recheck=partial(self._recheck, rotation, step, payload),
            )

        return await self._attend(account, case)

    async def _recheck(self, rotation: Rotation, step: Send | Replace, payload: EvmPayload) -> Denied | None:
        again = _decision(self._policies.current, rotation, step, payload)
        return again if isinstance(again, Denied) else None


def _account(rotation: Rotation, step: Send | Replace) -> AccountId:
    return rotation.old if isinstance(step, Send) else step.record.account


def _what(rotation: Rotation, step: Send | Replace) -> tuple[AccountId, EvmPayload]:
    if isinstance(step, Send):
        return rotation.old, _payload(step)
    earlier, fees = step.record, (step.bid.max_fee_wei, step.bid.tip_wei)
    if step.kind is TransactionKind.CANCELLATION:
        return earlier.account, cancellation_of(address_of(earlier.account), *fees)
    return earlier.account, replacement_of(earlier.unsigned.payload, *fees)


def _payload(step: Send) -> EvmPayload:
    to, value, data = _call(step.action)
    return EvmPayload(
        to=to,
        value_wei=value,
        data=data,
        gas_limit=step.gas,
        max_fee_per_gas_wei=step.bid.max_fee_wei,
        max_priority_fee_per_gas_wei=step.bid.tip_wei,
    )


def _call(action: DrainAction) -> tuple[Address, int, bytes]:
    match action:
        case NativeTransfer():
            return action.recipient, action.amount_wei, b""
        case Erc20Transfer():
            return action.token, 0, transfer_call(action.recipient, action.amount)
        case Erc20Approve():
            return action.token, 0, approve_call(action.spender, action.amount)
        case _ as never:
            assert_never(never)


def _name(step: Send | Replace) -> str:
    """What a step is about, whatever its amount and fees."""
    if isinstance(step, Replace):
        return f"instead of {step.record.id}"
    match step.action:
        case NativeTransfer():
            return NATIVE_COIN
        case Erc20Transfer(token=token):
            return f"token {token}"
        case Erc20Approve(token=token, spender=spender):
            return f"allowance {token} {spender}"
        case _ as never:
            assert_never(never)


def _decision(policy: Policy, rotation: Rotation, step: Send | Replace, payload: EvmPayload) -> Decision:
    if isinstance(step, Send):
        drain = policy_of(policy, rotation)
        return decide_drain(drain, payload, decode_drain(payload, drain.rules.contracts()))
    newest = step.record.unsigned.payload
    rules = _policy_of_slot(policy, rotation, step.record.account)
    if step.kind is TransactionKind.CANCELLATION:
        return decide_drain_cancellation(rules, newest=newest, cancellation=payload)
    return decide_drain_replacement(rules, newest=newest, replacement=payload)


def _policy_of_slot(policy: Policy, rotation: Rotation, account: AccountId) -> DrainingPolicy:
    """Rules for the nonces of the old account, or for what a rotation turned back left at the new one."""
    if account == rotation.old:
        return policy_of(policy, rotation)
    return policy_of(policy, replace(rotation, old=rotation.new, new=rotation.old))
