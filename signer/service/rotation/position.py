"""Reads where a drain stands: the ledger's open slots and, at one block, all that the old account has."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from signer.decode.evm.decoder import decode_drain
from signer.decode.evm.erc20 import approve_call, transfer_call
from signer.domain.accounts import AccountId, address_of
from signer.domain.actions import NotUnderstood
from signer.domain.chain import Head
from signer.domain.errors import PreconditionError, UnavailableError
from signer.domain.reasons import FailReason
from signer.domain.records import TransactionRecord
from signer.domain.rotation import ROTATION_CLIENT, Rotation
from signer.domain.time import UnixMs
from signer.domain.transactions import TransactionId
from signer.policy.draining import DrainingPolicy, draining, listed_allowances
from signer.policy.inherit import rules_of_old
from signer.policy.model import Policy, TokenPolicy
from signer.ports.broadcaster import Broadcaster
from signer.ports.clock import Clock
from signer.ports.holdings import Holdings
from signer.ports.ledger import Ledger
from signer.service.accounts import Accounts, Binding
from signer.service.rotation.bids import FeeLimits
from signer.service.rotation.keys import last_sweep_left_wei
from signer.service.rotation.plan import AllowanceLeft, Patience, Pending, Position, TokenLeft
from signer.service.rotation.worth import dearest_first

_EVERY_NONCE = 2**62
_GAS_MARGIN_PERCENT = 30
_DUST_PER_TOKEN = 10**6
_READINGS = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """The account's node, as a drain needs it."""

    holdings: Holdings
    broadcaster: Broadcaster


def access_of(binding: Binding) -> Access:
    """Raises PreconditionError for an account whose node can neither show holdings nor broadcast."""
    if binding.holdings is None or binding.broadcaster is None:
        raise PreconditionError(
            FailReason.ROTATION_NOT_POSSIBLE, f"the chain of {binding.account.id} knows no rotation yet"
        )
    return Access(holdings=binding.holdings, broadcaster=binding.broadcaster)


def policy_of(policy: Policy, rotation: Rotation) -> DrainingPolicy:
    """Rules of the drain. Raises PreconditionError when the policy names neither of the two accounts."""
    rules = rules_of_old(policy, rotation.old, rotation.new)
    if rules is None:
        text = f"the policy lists neither {rotation.old} nor {rotation.new}: nothing may be moved"
        raise PreconditionError(FailReason.ROTATION_NOT_POSSIBLE, text)
    return draining(rules, address_of(rotation.new), emergency=rotation.emergency)


class Positions:
    """Reads positions."""

    def __init__(self, *, accounts: Accounts, ledger: Ledger, clock: Clock, patience: Patience) -> None:
        self._accounts = accounts
        self._ledger = ledger
        self._clock = clock
        self._patience = patience

    async def read(
        self,
        rotation: Rotation,
        policy: DrainingPolicy,
        known: frozenset[TransactionId] = frozenset(),
        refused: frozenset[TransactionId] = frozenset(),
    ) -> Position:
        """Position now. Raises UnavailableError while the node or the ledger is away."""
        binding = self._accounts.binding(rotation.old)
        for _ in range(_READINGS):
            head = await binding.chain.head()
            count = await binding.chain.transaction_count(binding.account.address, head.number)
            position = await self._at(head, count, rotation, policy, known=known, refused=refused)
            # While it mines, a node may answer for `head` out of the block that it makes. Answers from before
            # and after that are torn: a nonce seems used, and the coin that it carried still there.
            if await binding.chain.transaction_count(binding.account.address, head.number) == count:
                return position
        text = f"the node's count of {rotation.old} at one block changes from answer to answer"
        raise UnavailableError(FailReason.CHAIN_UNREACHABLE, text)

    async def _at(
        self,
        head: Head,
        count: int,
        rotation: Rotation,
        policy: DrainingPolicy,
        *,
        known: frozenset[TransactionId],
        refused: frozenset[TransactionId],
    ) -> Position:
        binding = self._accounts.binding(rotation.old)
        free = await self._caught_up(rotation.old, count)
        slots = await self._ledger.unsettled(rotation.old, below=_EVERY_NONCE)
        arriving = [
            record
            for record in await self._ledger.unsettled(rotation.new, below=_EVERY_NONCE)
            if record.client == ROTATION_CLIENT
        ]
        pending = await _pending(binding, slots, count, head, policy)
        tokens, allowances = await _left(binding, policy, head)
        if rotation.emergency:
            tokens = await dearest_first(binding, policy.rules, tokens, head)
        return Position(
            now=self._clock.now(),
            emergency=rotation.emergency,
            pending=pending,
            inbound=await self._inbound(rotation.new, arriving, head, policy),
            known=known,
            refused=refused,
            unsettled=bool(slots or arriving),
            gap=any(nonce < pending[-1].record.nonce for nonce in free) if pending else False,
            allowances=allowances,
            tokens=tokens,
            native_wei=await access_of(binding).holdings.native_balance(binding.account.address, head.number),
            sweep_left_wei=await last_sweep_left_wei(self._ledger, rotation),
            base_fee_wei=head.base_fee_per_gas_wei,
            fees=FeeLimits.of(policy.rules.fees),
            patience=self._patience,
        )

    async def _caught_up(self, account: AccountId, count: int) -> Sequence[int]:
        """Free nonces, after the ledger has learned of nonces that somebody else used."""
        status = await self._ledger.account(account)
        if status is None:
            return ()
        if status.next_nonce < count or any(nonce < count for nonce in status.free_nonces):
            await self._ledger.catch_up(account, count, self._clock.now())
        return tuple(nonce for nonce in status.free_nonces if nonce >= count)

    async def _inbound(
        self, account: AccountId, slots: Sequence[TransactionRecord], head: Head, policy: DrainingPolicy
    ) -> tuple[Pending, ...]:
        if not slots:
            return ()
        binding = self._accounts.binding(account)
        count = await binding.chain.transaction_count(binding.account.address, head.number)
        return await _pending(binding, slots, count, head, policy)


async def _pending(
    binding: Binding, slots: Sequence[TransactionRecord], count: int, head: Head, policy: DrainingPolicy
) -> tuple[Pending, ...]:
    """Newest transaction of every nonce that was not used at `head`; `slots` are by nonce, then by time."""
    newest: dict[int, TransactionRecord] = {}
    since: dict[int, UnixMs] = {}
    for record in slots:
        since.setdefault(record.nonce, record.signed_at or head.seen_at)
        if record.nonce >= count or await _is_younger(binding, record, head):
            newest[record.nonce] = record
    return tuple(_with_action(record, policy, since[nonce]) for nonce, record in sorted(newest.items()))


async def _is_younger(binding: Binding, record: TransactionRecord, head: Head) -> bool:
    """Whether the transaction is in a block after `head`.

    A node may count it already while it mines, or while its answers come from two servers; what the account
    holds at `head` would then be sent a second time.
    """
    if record.block_number is not None:
        return record.block_number > head.number
    receipt = None if record.signed is None else await binding.chain.receipt(record.signed.hash)
    return receipt is not None and receipt.block_number > head.number


def _with_action(record: TransactionRecord, policy: DrainingPolicy, since: UnixMs) -> Pending:
    if record.client != ROTATION_CLIENT:
        return Pending(record=record, action=None, since=since)
    action = decode_drain(record.unsigned.payload, policy.rules.contracts())
    return Pending(record=record, action=None if isinstance(action, NotUnderstood) else action, since=since)


async def _left(
    binding: Binding, policy: DrainingPolicy, head: Head
) -> tuple[tuple[TokenLeft, ...], tuple[AllowanceLeft, ...]]:
    tokens = asyncio.gather(*(_token(binding, policy, token, head) for token in policy.rules.tokens))
    holdings, owner = access_of(binding).holdings, binding.account.address
    pairs = listed_allowances(policy.rules)
    amounts = await asyncio.gather(
        *(holdings.allowance(token, owner, spender, head.number) for token, spender in pairs)
    )
    most = policy.rules.fees.max_gas_limit
    allowances = [
        AllowanceLeft(
            token=token,
            spender=spender,
            gas=_with_margin(await holdings.gas_needed(owner, token, approve_call(spender, 0)), most),
        )
        for (token, spender), amount in zip(pairs, amounts, strict=True)
        if amount
    ]
    return tuple(left for left in await tokens if left.amount), tuple(allowances)


async def _token(binding: Binding, policy: DrainingPolicy, token: TokenPolicy, head: Head) -> TokenLeft:
    holdings, owner = access_of(binding).holdings, binding.account.address
    amount = await holdings.token_balance(token.address, owner, head.number)
    dust = amount * _DUST_PER_TOKEN < 10**token.decimals
    gas = None
    if not dust:
        call = transfer_call(policy.successor, amount)
        gas = _with_margin(
            await holdings.gas_needed(owner, token.address, call), policy.rules.fees.max_gas_limit
        )
    return TokenLeft(token=token.address, amount=amount, gas=gas, dust=dust)


def _with_margin(gas: int | None, most: int) -> int | None:
    """Gas limit with room for what changes until the block; None when the policy allows less."""
    return None if gas is None or gas > most else min(most, gas * (100 + _GAS_MARGIN_PERCENT) // 100)
