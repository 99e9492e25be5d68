"""Follows the chain: receipts, finality, reorganisations, and nonces that somebody else used.

Believes only what the signer's own node says. An account whose chain disagrees with the ledger is paused,
with the reason; nothing is mended here.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from itertools import groupby

from signer.domain.accounts import AccountId, AccountState
from signer.domain.chain import Head, Receipt
from signer.domain.errors import UnavailableError
from signer.domain.records import TransactionRecord
from signer.domain.slots import SlotEvent, SlotState, TransactionKind
from signer.ports.chain_view import ChainView
from signer.ports.clock import Clock
from signer.ports.events import EventLog
from signer.ports.ledger import Ledger, SlotChange
from signer.service.accounts import Accounts
from signer.service.reconcile_nonces import differences


class FollowChain:
    """Looks at every account again and again."""

    def __init__(
        self,
        *,
        accounts: Accounts,
        ledger: Ledger,
        clock: Clock,
        log: EventLog,
        poll_interval_ms: int,
        afterwards: Callable[[AccountId], Awaitable[None]],
    ) -> None:
        """`afterwards` runs after each look at an account: what a rotation does next."""
        self._accounts = accounts
        self._ledger = ledger
        self._clock = clock
        self._log = log
        self._poll_interval_s = poll_interval_ms / 1000
        self._afterwards = afterwards
        self._finalized_counts: dict[AccountId, int] = {}

    async def run(self) -> None:
        """Until cancelled. A node or ledger that is away is tried again at the next turn."""
        while True:
            for account in self._accounts.ids():
                if self._accounts.state(account) is AccountState.RETIRED:
                    continue
                try:
                    await self.look(account)
                    await self._afterwards(account)
                except UnavailableError as error:
                    self._log.event(
                        "chain.not_seen", account=account, reason=error.reason, problem=str(error)
                    )
            await asyncio.sleep(self._poll_interval_s)

    async def look(self, account: AccountId) -> None:
        """Record what the chain says of one account now."""
        await self._accounts.ensure_open(account)
        binding = self._accounts.binding(account)
        chain, address = binding.chain, binding.account.address
        head, finalized = await chain.head(), await chain.finalized()
        latest = await chain.transaction_count(address, head.number)
        final = await chain.transaction_count(address, finalized.number)
        await self._compare(account, latest, final)
        seen = _Seen(latest=latest, final=final, finalized=finalized)
        records = await self._ledger.unsettled(account, below=latest)
        for nonce, family in groupby(records, key=lambda record: record.nonce):
            changes = await _changes(chain, tuple(family), nonce, seen)
            if changes:
                await self._ledger.apply(changes, self._clock.now())
                await self._pause_for_foreign(account, nonce, changes)

    async def _compare(self, account: AccountId, latest: int, final: int) -> None:
        """Invariant 6: the ledger and the chain agree about the nonces, or the account stops."""
        if not self._accounts.signs(account):
            return
        before = self._finalized_counts.get(account, 0)
        self._finalized_counts[account] = max(before, final)
        status = await self._ledger.account(account)
        findings = differences(status, latest) if status is not None else ()
        if final < before:
            findings = (*findings, f"the finalized transaction count went back from {before} to {final}")
        if findings:
            await self._pause(account, "; ".join(findings))

    async def _pause_for_foreign(self, account: AccountId, nonce: int, changes: Sequence[SlotChange]) -> None:
        if not all(change.event is SlotEvent.OTHER_HASH_FINAL for change in changes):
            return
        reason = f"nonce {nonce} was consumed by a transaction that was not signed here"
        if self._accounts.state(account) is AccountState.DRAINING:
            # Somebody else holds the key: all the more reason to go on.
            self._log.event("rotation.foreign_nonce", account=account, reason=reason)
        else:
            await self._pause(account, reason)

    async def _pause(self, account: AccountId, reason: str) -> None:
        await self._accounts.pause(account, reason)
        self._log.event("account.paused", account=account, reason=reason)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Seen:
    """Transaction counts of the account at the latest and at the finalized block, and that block."""

    latest: int
    final: int
    finalized: Head


async def _changes(
    chain: ChainView,
    family: tuple[TransactionRecord, ...],
    nonce: int,
    seen: _Seen,
) -> tuple[SlotChange, ...]:
    """Steps for the transactions that share one nonce."""
    if nonce >= seen.latest:
        return tuple(
            SlotChange(id=record.id, event=SlotEvent.REORGANISED_AWAY)
            for record in family
            if record.state is SlotState.MINED
        )
    included = await _included(chain, family)
    if included is None:
        if nonce >= seen.final:
            return ()
        return tuple(SlotChange(id=record.id, event=SlotEvent.OTHER_HASH_FINAL) for record in family)
    winner, receipt = included
    canonical = await chain.block_hash(receipt.block_number)
    if receipt.block_number <= seen.finalized.number and canonical == receipt.block_hash:
        return _final(family, winner, receipt)
    if winner.state is SlotState.MINED and winner.block_hash == receipt.block_hash:
        return ()
    return (SlotChange(id=winner.id, event=SlotEvent.RECEIPT_SEEN, receipt=receipt),)


async def _included(
    chain: ChainView, family: tuple[TransactionRecord, ...]
) -> tuple[TransactionRecord, Receipt] | None:
    for record in family:
        if record.signed is None:
            continue
        receipt = await chain.receipt(record.signed.hash)
        if receipt is not None:
            return record, receipt
    return None


def _final(
    family: tuple[TransactionRecord, ...], winner: TransactionRecord, receipt: Receipt
) -> tuple[SlotChange, ...]:
    cancelled = winner.kind is TransactionKind.CANCELLATION
    losing = SlotEvent.CANCELLATION_FINAL if cancelled else SlotEvent.OTHER_HASH_FINAL
    return (
        SlotChange(id=winner.id, event=SlotEvent.RECEIPT_FINAL, receipt=receipt),
        *(SlotChange(id=record.id, event=losing) for record in family if record is not winner),
    )
