"""The trader's Signer port with one of anvil's public keys, in process; does what a script says, else signs.

Like the real one it remembers by key: the same question has the same answer, another question under the same
key is an error, and what was signed stays signed although the answer was lost. It can hold several accounts,
and a test says what becomes of them: a rotated one signs nothing new.
"""

import asyncio
import contextlib
from collections import deque
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from eth_account import Account
from eth_utils.address import to_checksum_address
from eth_utils.crypto import keccak

from tests.fakes.fake_people import FakePeople
from tests.testbed.accounts import DevAccount
from trader.domain.errors import (
    Instead,
    Refusal,
    SignerHeldUpError,
    SignerNotReadyError,
    SignerUnavailableError,
)
from trader.domain.ids import Address, ChainName, IdempotencyKey, WalletId
from trader.domain.quotes import TransactionDraft
from trader.ports.signer import (
    AccountChoice,
    Allowed,
    ApprovalBelief,
    Belief,
    BudgetLine,
    Choice,
    GivenUp,
    Refused,
    Signed,
    SignerAccount,
    SignerRecord,
    SwapBelief,
    TransferBelief,
    Waiting,
)

CANCEL_GAS = 21_000
_PRECONDITIONS = frozenset({"ACCOUNT_PAUSED", "DEVICE_OUTCOME_UNKNOWN", "DEVICE_LOCKED", "WALLET_CONDITION"})


class Script(StrEnum):
    """What happens to the next question that could end in a signature."""

    DENY = "deny"
    CUT_BEFORE = "cut before signing"
    CUT_AFTER = "cut after signing"
    HANG = "hang"
    PAUSED = "account paused"


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """One question, as the ledger keeps it."""

    key: IdempotencyKey
    wallet: WalletId
    content: tuple[object, ...]
    draft: TransactionDraft
    signed: Signed


class FakeSigner:
    """`nonce` is the account's next one; `signed` lists what was signed, in order."""

    def __init__(self, account: DevAccount, *, chain_id: int, nonce: int = 0) -> None:
        self._chain_id = chain_id
        self._keys: dict[WalletId, str] = {}
        self.nonces: dict[WalletId, int] = {}
        self.listed: dict[WalletId, SignerAccount] = {}
        self._changed: asyncio.Queue[WalletId] = asyncio.Queue()
        self.wallet = self.hold(account, nonce=nonce)
        self._ledger: dict[IdempotencyKey, Asked] = {}
        self._scripts: deque[Script] = deque()
        self.reported: list[str] = []
        self.asked: list[IdempotencyKey] = []
        self.states: dict[IdempotencyKey, str] = {}
        self.people = FakePeople()
        self._flights: dict[IdempotencyKey, asyncio.Task[Signed | Refused]] = {}
        self.away: dict[WalletId, str] = {}
        self.most: dict[WalletId, int] = {}
        self.least: dict[WalletId, int] = {}
        self.too_much: set[WalletId] = set()

    def hold(self, account: DevAccount, *, nonce: int = 0) -> WalletId:
        """Sign for this account, too."""
        wallet = WalletId(f"eip155:{self._chain_id}:{account.address}")
        self._keys[wallet], self.nonces[wallet] = account.private_key, nonce
        self.listed[wallet] = SignerAccount(wallet=wallet, backend="dev", state="active", pause_reason="")
        return wallet

    def rotate(
        self, wallet: WalletId, successor: WalletId | None, *, state: str = "draining", swept: bool = False
    ) -> None:
        """What the list says about an account from now on; watchers hear of it."""
        self.listed[wallet] = replace(self.listed[wallet], state=state, successor=successor, swept=swept)
        self._changed.put_nowait(wallet)

    def group(self, name: str, *wallets: WalletId) -> None:
        """Let these be the accounts of one wallet, in this order."""
        for wallet in wallets:
            self.listed[wallet] = replace(self.listed[wallet], group=name)

    def attend(self, wallet: WalletId, *, person_ms: int) -> None:
        """Let a person stand before this account's key: each signature waits until a test presses."""
        self.listed[wallet] = replace(self.listed[wallet], backend="ledger", person_ms=person_ms)

    @property
    def nonce(self) -> int:
        return self.nonces[self.wallet]

    @nonce.setter
    def nonce(self, nonce: int) -> None:
        self.nonces[self.wallet] = nonce

    @property
    def signed(self) -> list[Signed]:
        return [asked.signed for asked in self._ledger.values()]

    @property
    def drafts(self) -> list[TransactionDraft]:
        return [asked.draft for asked in self._ledger.values()]

    def script(self, *scripts: Script) -> None:
        self._scripts.extend(scripts)

    async def accounts(self) -> Sequence[SignerAccount]:
        return [
            replace(one, ready=one.wallet not in self.away, not_ready_reason=self.away.get(one.wallet, ""))
            for one in self.listed.values()
        ]

    async def choose(self, group: str, chain: ChainName, token_in: Address, amount_in: int) -> Choice:
        del chain, token_in
        choices = tuple(
            self._choice(one.wallet, amount_in) for one in self.listed.values() if one.group == group
        )
        return Choice(wallet=next((one.wallet for one in choices if one.would_sign), None), accounts=choices)

    def _choice(self, wallet: WalletId, amount_in: int) -> AccountChoice:
        away, most = self.away.get(wallet), self.most.get(wallet, 2**255)
        if away is not None:
            return AccountChoice(wallet=wallet, would_sign=False, max_amount_in=0, reason=away)
        if amount_in > most:
            reason = "AMOUNT_TOO_HIGH"
            return AccountChoice(wallet=wallet, would_sign=False, max_amount_in=most, reason=reason)
        if amount_in < self.least.get(wallet, 0):
            reason = "WALLET_CONDITION"
            return AccountChoice(wallet=wallet, would_sign=False, max_amount_in=most, reason=reason)
        return AccountChoice(wallet=wallet, would_sign=True, max_amount_in=most)

    async def phases(self) -> AsyncIterator[Waiting]:
        async with contextlib.aclosing(self.people.phases()) as phases:
            async for waiting in phases:
                yield waiting

    async def account_changes(self) -> AsyncIterator[WalletId]:
        while True:
            yield await self._changed.get()

    async def sign(
        self,
        key: IdempotencyKey,
        wallet: WalletId,
        draft: TransactionDraft,
        belief: Belief,
        *,
        person_ms: int = 0,
    ) -> Signed | Refused:
        del person_ms
        if self.listed[wallet].state != "active" and key not in self._ledger:
            return _rotated_out(self.listed[wallet].state)
        content = (wallet, draft, belief)
        return await self._flown(
            key, wallet, belief, content=content, draft=draft, nonce=lambda: self._take_nonce(wallet)
        )

    async def evaluate(self, wallet: WalletId, draft: TransactionDraft, belief: Belief) -> Allowed | Refused:
        del draft
        if self._scripts and self._scripts[0] is Script.DENY:
            self._scripts.popleft()
            return _refused()
        return Allowed(actions=(f"{type(belief).__name__} by {wallet}",))

    async def replace(
        self,
        key: IdempotencyKey,
        transaction_id: str,
        max_fee_per_gas_wei: int,
        max_priority_fee_per_gas_wei: int,
        *,
        person_ms: int = 0,
    ) -> Signed | Refused:
        del person_ms
        old = self._by_id(transaction_id)
        draft = _with_fees(old.draft, max_fee_per_gas_wei, max_priority_fee_per_gas_wei)
        content = (transaction_id, draft)
        return await self._flown(
            key, old.wallet, None, content=content, draft=draft, nonce=lambda: old.signed.nonce
        )

    async def cancel(
        self,
        key: IdempotencyKey,
        transaction_id: str,
        max_fee_per_gas_wei: int,
        max_priority_fee_per_gas_wei: int,
        *,
        person_ms: int = 0,
    ) -> Signed | Refused | GivenUp:
        del person_ms
        if self.people.give_up(transaction_id):
            await asyncio.gather(*self._flights.values(), return_exceptions=True)
        if transaction_id in self.people.unsigned:
            return GivenUp(transaction_id=transaction_id)
        old = self._by_id(transaction_id)
        empty = TransactionDraft(
            to=old.draft.to.__class__(old.wallet.rpartition(":")[2]),
            value_wei=0,
            data=b"",
            gas_limit=CANCEL_GAS,
            max_fee_per_gas_wei=0,
            max_priority_fee_per_gas_wei=0,
            deadline_s=old.draft.deadline_s,
        )
        draft = _with_fees(empty, max_fee_per_gas_wei, max_priority_fee_per_gas_wei)
        content = (transaction_id, draft)
        return await self._flown(
            key, old.wallet, None, content=content, draft=draft, nonce=lambda: old.signed.nonce
        )

    async def lookup(self, key: IdempotencyKey) -> SignerRecord | None:
        if key in self._flights:
            raise SignerUnavailableError("signer: IN_PROGRESS", reason="IN_PROGRESS")
        asked = self._ledger.get(key)
        if asked is None:
            return None
        return SignerRecord(
            transaction_id=asked.signed.transaction_id,
            transaction_hash=asked.signed.transaction_hash,
            nonce=asked.signed.nonce,
            state=self.states.get(key, "signed"),
        )

    async def report_broadcast(self, transaction_id: str, transaction_hash: str) -> None:
        del transaction_id
        self.reported.append(transaction_hash)

    async def budget(self, wallet: WalletId) -> Sequence[BudgetLine]:
        del wallet
        return []

    async def _answer(
        self,
        key: IdempotencyKey,
        wallet: WalletId,
        content: tuple[object, ...],
        draft: TransactionDraft,
        nonce: Callable[[], int],
    ) -> Signed | Refused:
        self.asked.append(key)
        script = self._scripts.popleft() if self._scripts else None
        match script:
            case Script.DENY:
                return _refused()
            case Script.CUT_BEFORE:
                raise SignerUnavailableError("signer: cut before signing")
            case Script.PAUSED:
                raise SignerNotReadyError("signer: ACCOUNT_PAUSED")
            case Script.HANG:
                await asyncio.Event().wait()
            case _:
                pass
        known = self._ledger.get(key)
        if known is None:
            signed = self._sign(wallet, draft, nonce())
            known = Asked(key=key, wallet=wallet, content=content, draft=draft, signed=signed)
            self._ledger[key] = known
        assert known.content == content, f"other content under the key {key}: ALREADY_EXISTS"
        if script is Script.CUT_AFTER:
            raise SignerUnavailableError("signer: cut after signing")
        return known.signed

    async def _flown(
        self,
        key: IdempotencyKey,
        wallet: WalletId,
        belief: Belief | None,
        *,
        content: tuple[object, ...],
        draft: TransactionDraft,
        nonce: Callable[[], int],
    ) -> Signed | Refused:
        """Goes on when the caller leaves, as at the real signer; the same key joins it."""

        async def fly() -> Signed | Refused:
            if (denied := await self._asked_a_person(key, wallet, belief)) is not None:
                return denied
            return await self._answer(key, wallet, content, draft, nonce)

        if self.listed[wallet].person_ms == 0:
            return await fly()
        flight = self._flights.get(key)
        if flight is None:
            flight = self._flights[key] = asyncio.create_task(fly())
            flight.add_done_callback(lambda done: self._land(key, done))
        return await asyncio.shield(flight)

    def _land(self, key: IdempotencyKey, done: "asyncio.Task[Signed | Refused]") -> None:
        del self._flights[key]
        if not done.cancelled():
            done.exception()

    async def _asked_a_person(
        self, key: IdempotencyKey, wallet: WalletId, belief: Belief | None
    ) -> Refused | None:
        """Device and person, in this order; None when nothing stands against the signature."""
        if key in self._ledger:
            return None
        reason = self.away.get(wallet)
        if reason is not None:
            self.asked.append(key)
            raise self._held_up(reason, wallet, belief)
        if wallet in self.too_much:
            return refused("AMOUNT_TOO_HIGH")
        if self.listed[wallet].person_ms == 0:
            return None
        denied = await self.people.ask(key, wallet)
        if denied is not None and denied.startswith("DEVICE_"):
            raise self._held_up(denied, wallet, belief)
        return None if denied is None else refused(denied)

    def _held_up(self, reason: str, wallet: WalletId, belief: Belief | None) -> SignerHeldUpError:
        kind = SignerNotReadyError if reason in _PRECONDITIONS else SignerUnavailableError
        return kind(f"signer: {reason}", reason=reason, instead=self._instead(wallet, belief))

    def _instead(self, wallet: WalletId, belief: Belief | None) -> Instead | None:
        """As the signer does, it names only who comes later in the wallet."""
        amount = 0 if belief is None or isinstance(belief, TransferBelief) else _amount_of(belief)
        group = self.listed[wallet].group
        choices = [
            self._choice(one.wallet, amount) for one in self.listed.values() if group and one.group == group
        ]
        order = [one.wallet for one in choices]
        ready = [one for one in choices[order.index(wallet) + 1 :] if one.max_amount_in > 0] if order else []
        return Instead(wallet=ready[0].wallet, max_amount_in=ready[0].max_amount_in) if ready else None

    def _take_nonce(self, wallet: WalletId) -> int:
        self.nonces[wallet] += 1
        return self.nonces[wallet] - 1

    def _by_id(self, transaction_id: str) -> Asked:
        return next(asked for asked in self._ledger.values() if asked.signed.transaction_id == transaction_id)

    def _sign(self, wallet: WalletId, draft: TransactionDraft, nonce: int) -> Signed:
        raw = sign_draft(draft, nonce, chain_id=self._chain_id, private_key=self._keys[wallet])
        return Signed(
            transaction_id=f"{len(self._ledger):032x}",
            nonce=nonce,
            raw=raw,
            transaction_hash="0x" + keccak(raw).hex(),
        )


def sign_draft(draft: TransactionDraft, nonce: int, *, chain_id: int, private_key: str) -> bytes:
    """The EIP-1559 transaction of a draft, signed with a public test key."""
    return bytes(
        Account.sign_transaction(
            {
                "type": 2,
                "chainId": chain_id,
                "nonce": nonce,
                "to": to_checksum_address(draft.to),
                "value": draft.value_wei,
                "data": "0x" + draft.data.hex(),
                "gas": draft.gas_limit,
                "maxFeePerGas": draft.max_fee_per_gas_wei,
                "maxPriorityFeePerGas": draft.max_priority_fee_per_gas_wei,
            },
            private_key,
        ).raw_transaction
    )


def _with_fees(draft: TransactionDraft, maximum: int, priority: int) -> TransactionDraft:
    return TransactionDraft(
        to=draft.to,
        value_wei=draft.value_wei,
        data=draft.data,
        gas_limit=draft.gas_limit,
        max_fee_per_gas_wei=maximum,
        max_priority_fee_per_gas_wei=priority,
        deadline_s=draft.deadline_s,
    )


def _rotated_out(state: str) -> Refused:
    return Refused(refusals=(Refusal(reason=f"ACCOUNT_{state.upper()}", metadata={}),))


def _amount_of(belief: SwapBelief | ApprovalBelief) -> int:
    return belief.amount_in if isinstance(belief, SwapBelief) else belief.amount


def refused(reason: str) -> Refused:
    """A denial for one reason."""
    metadata = {"rule": "person", "limit": "a confirmation", "actual": "none", "unit": "answer"}
    return Refused(refusals=(Refusal(reason=reason, metadata=metadata),))


def _refused() -> Refused:
    metadata = {"rule": "slippage", "limit": "50", "actual": "80", "unit": "bps"}
    return Refused(refusals=(Refusal(reason="SLIPPAGE_TOO_HIGH", metadata=metadata),))
