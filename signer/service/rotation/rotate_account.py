"""RotateAccount: begin, status, finish, abort. An operator's word; every step of it is in the audit trail."""

from dataclasses import dataclass
from enum import StrEnum

from signer.decode.evm.envelope import signing_hash
from signer.decode.evm.recovery import recover_address
from signer.domain.accounts import AccountId, AccountState, address_of, chain_of, evm_chain_id
from signer.domain.errors import (
    BrokenError,
    ConfigurationError,
    InvalidRequestError,
    NotFoundError,
    PreconditionError,
    SignerError,
    UnavailableError,
)
from signer.domain.reasons import FailReason
from signer.domain.rotation import Rotation, RotationState
from signer.domain.transactions import EvmPayload, UnsignedEvmTransaction
from signer.ports.audit import Audit
from signer.ports.clock import Clock
from signer.ports.events import EventLog
from signer.ports.ledger import Ledger
from signer.service.accounts import Accounts, Binding, not_signing
from signer.service.clients import Client, Role
from signer.service.path.record import operator_act
from signer.service.policies import Policies
from signer.service.rotation.drain import METHOD, Drain
from signer.service.rotation.plan import Swept
from signer.service.rotation.position import access_of
from signer.service.rotation.report import RotationReport, dust_of, report
from signer.service.rotation.successions import Successions

_UNUSABLE_NONCE = 2**64 - 2
"""EIP-2681: no account gets there."""


class RotationStep(StrEnum):
    """What the operator wants."""

    BEGIN = "begin"
    STATUS = "status"
    FINISH = "finish"
    ABORT = "abort"


@dataclass(frozen=True, slots=True, kw_only=True)
class RotateRequest:
    """One step; `new_account` and `emergency` belong to BEGIN."""

    account: AccountId
    step: RotationStep
    new_account: AccountId | None = None
    emergency: bool = False


class RotateAccount:
    """Rotates accounts."""

    def __init__(
        self,
        *,
        accounts: Accounts,
        policies: Policies,
        successions: Successions,
        drain: Drain,
        ledger: Ledger,
        audit: Audit,
        clock: Clock,
        log: EventLog,
    ) -> None:
        self._accounts = accounts
        self._policies = policies
        self._successions = successions
        self._drain = drain
        self._ledger = ledger
        self._audit = audit
        self._clock = clock
        self._log = log

    async def __call__(self, client: Client, request: RotateRequest) -> RotationReport:
        """Report after the step. Raises PreconditionError saying why a step is refused."""
        client.require_role(Role.ADMIN, METHOD)
        match request.step:
            case RotationStep.BEGIN:
                return await self._begin(client, request)
            case RotationStep.STATUS:
                return await self._status(await self._newest(request.account))
            case RotationStep.FINISH:
                return await self._finish(client, await self._newest(request.account))
            case RotationStep.ABORT:
                return await self._abort(client, await self._newest(request.account))

    async def after_look(self, account: AccountId) -> None:
        """Move the rotation of this account on, if there is one. Raises UnavailableError."""
        await self._successions.adopt_keys()
        for rotation in await self._ledger.rotations():
            if rotation.state is not RotationState.OPEN or rotation.old != account:
                continue
            if self._accounts.view(account).reason:
                continue  # held by an operator
            try:
                await self._drain.turn(rotation)
            except UnavailableError:
                raise
            except SignerError as error:
                # Whatever it is (policy, key, a race with an operator): it waits, and following goes on.
                self._log.event("rotation.waits", account=account, problem=str(error))

    async def _begin(self, client: Client, request: RotateRequest) -> RotationReport:
        old, new = request.account, request.new_account
        if new is None:
            raise InvalidRequestError("new_account", "is not set; allowed is the account that takes over")
        _require_alike(old, new)
        access_of(self._accounts.binding(old))
        if self._policies.current.account(old) is None and self._policies.current.account(new) is None:
            raise PreconditionError(
                FailReason.ROTATION_NOT_POSSIBLE, f"the policy does not list {old}: nothing could be moved"
            )
        await self._accounts.ensure_open(old)
        await self._require_alive(old, new)
        binding = self._successions.prepare(old, new)
        await _prove_key(binding)
        head = await binding.chain.head()
        count = await binding.chain.transaction_count(binding.account.address, head.number)
        urgency = "in an emergency" if request.emergency else "in order"
        await self._record(client, old, f"begin: {new} takes over, {urgency}")
        rotation = await self._ledger.begin_rotation(
            old, new, count, self._clock.now(), emergency=request.emergency
        )
        await self._take_effect(rotation)
        return await self._status(rotation)

    async def _status(self, rotation: Rotation) -> RotationReport:
        if rotation.state is not RotationState.OPEN:
            return report(rotation, None, None)
        position, step = await self._drain.look(rotation)
        denial = await self._drain.denial(rotation, step)
        return report(rotation, position, step, denial, held=self._accounts.view(rotation.old).reason)

    async def _finish(self, client: Client, rotation: Rotation) -> RotationReport:
        if rotation.state is not RotationState.OPEN:
            return report(rotation, None, None)
        position, step = await self._drain.look(rotation)
        if not isinstance(step, Swept):
            unfinished = report(rotation, position, step, await self._drain.denial(rotation, step))
            raise PreconditionError(
                FailReason.ROTATION_NOT_POSSIBLE,
                f"{rotation.old} is not empty: {'; '.join(unfinished.progress)}",
            )
        dust = dust_of(position)
        await self._record(
            client, rotation.old, f"finish: retired for ever; left behind: {dust or 'nothing'}"
        )
        finished = await self._ledger.finish_rotation(rotation.id, dust, self._clock.now())
        await self._take_effect(finished)
        return report(finished, None, None)

    async def _abort(self, client: Client, rotation: Rotation) -> RotationReport:
        if rotation.state is RotationState.TURNED_BACK:
            return report(rotation, None, None)
        if rotation.state is RotationState.FINISHED or rotation.emergency:
            why = "it is an emergency" if rotation.emergency else "it is finished"
            raise PreconditionError(
                FailReason.ROTATION_NOT_POSSIBLE,
                f"the rotation of {rotation.old} cannot be turned back: {why}",
            )
        await self._record(client, rotation.old, f"abort: {rotation.new} drains back and retires")
        back = await self._ledger.turn_rotation_back(rotation.id, self._clock.now())
        self._accounts.set_successor(rotation.old, None)
        await self._take_effect(back)
        return await self._status(back)

    async def _require_alive(self, *accounts: AccountId) -> None:
        """The key of a retired account is asked for nothing, not even for a proof."""
        for account in accounts:
            status = await self._ledger.account(account)
            if status is not None and status.state is AccountState.RETIRED:
                raise not_signing(account, status.state, status.reason)

    async def _take_effect(self, rotation: Rotation) -> None:
        """In memory what is durable in the ledger already."""
        self._successions.take_over(rotation)
        for account in (rotation.old, rotation.new):
            await self._accounts.refresh(account)

    async def _newest(self, account: AccountId) -> Rotation:
        self._accounts.binding(account)
        found = [one for one in await self._ledger.rotations() if one.old == account]
        if not found:
            raise NotFoundError(f"{account} was never rotated")
        return found[-1]

    async def _record(self, client: Client, account: AccountId, detail: str) -> None:
        await self._audit.append(
            operator_act(
                client=client.name,
                method=METHOD,
                account=account,
                details=(detail,),
                policy_hash=self._policies.current.hash,
                at=self._clock.now(),
            )
        )


def _require_alike(old: AccountId, new: AccountId) -> None:
    problem = ""
    if not old.startswith("eip155:"):
        problem = f"{chain_of(old)} is no EVM chain: only EVM accounts can be rotated so far"
    elif chain_of(old) != chain_of(new):
        problem = f"{new} is on another chain than {old}"
    elif old == new:
        problem = f"{new} is the old account itself"
    if problem:
        raise PreconditionError(FailReason.ROTATION_NOT_POSSIBLE, problem)


async def _prove_key(binding: Binding) -> None:
    """Make sure that the new account can really sign, before anything moves to it.

    The transaction is one that no chain can ever include, and it is forgotten at once.
    """
    account, backend = binding.account, binding.backend
    nothing = EvmPayload(
        to=account.address,
        value_wei=0,
        data=b"",
        gas_limit=0,
        max_fee_per_gas_wei=0,
        max_priority_fee_per_gas_wei=0,
    )
    proof = UnsignedEvmTransaction(
        chain_id=evm_chain_id(account.chain), nonce=_UNUSABLE_NONCE, payload=nothing
    )
    try:
        await backend.adopt(account.id)
        await backend.check(account.id)
        signature = await backend.sign_evm(account.id, proof)
        recovered = recover_address(signing_hash(proof), signature)
    except (ConfigurationError, BrokenError, ValueError) as error:
        text = f"the key of {account.id} cannot be used: {error}"
        raise PreconditionError(FailReason.ROTATION_NOT_POSSIBLE, text) from error
    if recovered != address_of(account.id):
        text = f"{backend.name} signs for {account.id} as {recovered}"
        raise PreconditionError(FailReason.ROTATION_NOT_POSSIBLE, text)
