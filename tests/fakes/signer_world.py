"""The use cases of the signer over fakes of its ports, and the real ledger in memory."""

import hashlib
import itertools
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace

from coincurve import PrivateKey

from signer.adapters.audit_file.memory import MemoryAudit
from signer.adapters.sqlite import SqliteLedger
from signer.decode.evm.envelope import signing_hash
from signer.domain.accounts import Account, AccountId, Address
from signer.domain.actions import Action, Swap
from signer.domain.chain import Head, Receipt, ReferenceQuote
from signer.domain.claims import Claim
from signer.domain.errors import UnavailableError
from signer.domain.reasons import FailReason
from signer.domain.requests import SignRequest
from signer.domain.transactions import (
    ClientName,
    EvmSignature,
    IdempotencyKey,
    TransactionId,
    UnsignedEvmTransaction,
)
from signer.ports.key_backend import KeyBackend
from signer.service.accounts import Binding
from signer.service.clients import Client, Role
from signer.service.path.sign import SignLimits
from signer.service.policies import Policies
from signer.service.services import Ports, Services, wire
from tests.fakes import calldata, policies
from tests.fakes.clock import FakeClock
from tests.testbed.accounts import dev_account

KEY = PrivateKey.from_hex(dev_account(1).private_key.removeprefix("0x"))
OTHER_KEY = PrivateKey.from_hex(dev_account(2).private_key.removeprefix("0x"))
ADDRESS = Address(dev_account(1).address)
ACCOUNT = AccountId(f"eip155:31337:{ADDRESS}")
METHODS = frozenset(
    {
        "ListAccounts",
        "ChooseAccount",
        "SignEvmTransaction",
        "Evaluate",
        "ReplaceTransaction",
        "CancelTransaction",
        "ReportBroadcast",
        "GetTransaction",
        "GetBudget",
        "WatchTransactions",
    }
)
TRADER = Client(name=ClientName("spiffe://test/trader"), role=Role.TRADER, grants={ACCOUNT: METHODS})
ADMIN = Client(name=ClientName("spiffe://test/admin"), role=Role.ADMIN)


async def _nothing() -> None:
    return


@dataclass
class FakeBackend:
    """Signs with a public test key; `before` runs inside each signature, before it is made."""

    key: PrivateKey = KEY
    before: Callable[[], Awaitable[None]] = _nothing
    signed: list[UnsignedEvmTransaction] = field(default_factory=list)
    name: str = "fake"
    account: AccountId = ACCOUNT

    async def accounts(self) -> Sequence[AccountId]:
        return (ACCOUNT,)

    async def check(self, account: AccountId) -> None:
        assert account == self.account

    async def sign_evm(self, account: AccountId, transaction: UnsignedEvmTransaction) -> EvmSignature:
        assert account == self.account
        await self.before()
        self.signed.append(transaction)
        raw = self.key.sign_recoverable(signing_hash(transaction), hasher=None)
        return EvmSignature(
            r=int.from_bytes(raw[:32], "big"), s=int.from_bytes(raw[32:64], "big"), y_parity=raw[64]
        )

    async def adopt(self, account: AccountId) -> None:
        """Holds every key already."""

    async def sign_solana(self, account: AccountId, message: bytes) -> bytes:
        raise NotImplementedError


@dataclass
class FakeChain:
    """A chain that says what the test tells it; `away` makes every call fail like an unreachable node."""

    clock: FakeClock
    number: int = 100
    finalized_number: int = 90
    counts: dict[int, int] = field(default_factory=dict)
    latest_count: int = 0
    receipts: dict[str, Receipt] = field(default_factory=dict)
    hashes: dict[int, str] = field(default_factory=dict)
    away: bool = False
    id: int = 31337

    def _check(self) -> None:
        if self.away:
            raise UnavailableError(FailReason.CHAIN_UNREACHABLE, "the node is away")

    async def chain_id(self) -> int:
        self._check()
        return self.id

    async def head(self) -> Head:
        self._check()
        return self._block(self.number)

    async def finalized(self) -> Head:
        self._check()
        return self._block(self.finalized_number)

    async def block_hash(self, number: int) -> str | None:
        self._check()
        return self.hashes.get(number, f"0x{number:064x}") if number <= self.number else None

    async def transaction_count(self, address: Address, block_number: int) -> int:
        self._check()
        assert address == ADDRESS
        return self.counts.get(block_number, self.latest_count if block_number >= self.number else 0)

    async def receipt(self, transaction_hash: str) -> Receipt | None:
        self._check()
        return self.receipts.get(transaction_hash)

    def include(self, transaction_hash: str, *, block: int, reverted: bool = False, fee: int = 1_000) -> None:
        """Put a transaction into a block."""
        self.receipts[transaction_hash] = Receipt(
            transaction_hash=transaction_hash,
            block_number=block,
            block_hash=f"0x{block:064x}",
            reverted=reverted,
            fee_paid_wei=fee,
        )

    def _block(self, number: int) -> Head:
        return Head(
            number=number,
            hash=f"0x{number:064x}",
            timestamp_s=self.clock.now() // 1000 - 5,
            base_fee_per_gas_wei=10**9,
            seen_at=self.clock.now(),
        )


@dataclass
class FakeReference:
    """A price source; None means that it has no price."""

    amount_out: int | None = 1_000_000
    name: str = "fake_quote"
    asked: list[Swap] = field(default_factory=list)

    async def quote(self, swap: Swap, via: Address, head: Head) -> ReferenceQuote | None:
        self.asked.append(swap)
        assert via
        if self.amount_out is None:
            return None
        return ReferenceQuote(
            source=self.name,
            amount_out=self.amount_out,
            block_number=head.number,
            block_timestamp_s=head.timestamp_s,
        )


class TextPolicy:
    """A policy source whose text the test changes."""

    name = "policy.toml"

    def __init__(self, text: str) -> None:
        self.text = text

    async def read(self) -> bytes:
        return self.text.encode()


class ListLog:
    """Events as they were written."""

    def __init__(self) -> None:
        self.events: list[tuple[str, dict[str, object]]] = []

    def event(self, name: str, **fields: object) -> None:
        self.events.append((name, fields))


@dataclass(frozen=True, slots=True, kw_only=True)
class SignerWorld:
    """Everything, open."""

    services: Services
    ledger: SqliteLedger
    audit: MemoryAudit
    backend: FakeBackend
    chain: FakeChain
    reference: FakeReference
    clock: FakeClock
    source: TextPolicy
    log: ListLog

    def request(self, key: str, action: Action | None = None, claim: Claim | None = None) -> SignRequest:
        """A request that the policy allows when it allows the action."""
        return sign_request(key, action, claim)


def sign_request(key: str, action: Action | None = None, claim: Claim | None = None) -> SignRequest:
    """A request with the digest that the edge would compute: of everything in it."""
    chosen = action if action is not None else own_swap()
    payload = calldata.payload(chosen)
    believed = claim if claim is not None else policies.honest_claim(chosen)
    digest = hashlib.sha256(repr((key, payload, believed)).encode()).hexdigest()
    return SignRequest(
        idempotency_key=IdempotencyKey(key),
        account=ACCOUNT,
        payload=payload,
        claim=believed,
        request_digest=digest,
    )


def own_swap(**changes: object) -> Swap:
    """The swap of `policies`, paid out to our account."""
    swap = replace(policies.SWAP, recipient=ADDRESS)
    return replace(swap, **changes)  # type: ignore[arg-type]  # tests name fields of Swap


@asynccontextmanager
async def signer_world(
    *,
    audit: MemoryAudit | None = None,
    policy_changes: Sequence[tuple[str, str]] = (),
    recheck_after_ms: int = 2_000,
    keys: KeyBackend | None = None,
) -> AsyncIterator[SignerWorld]:
    """Open a world; the clock stands at `policies.NOW`. `keys` sign instead of the fake backend."""
    clock = FakeClock(policies.NOW)
    text = policies.POLICY.replace(policies.OWN, ADDRESS)
    for before, after in policy_changes:
        assert before in text, before
        text = text.replace(before, after)
    source, log = TextPolicy(text), ListLog()
    backend, chain, reference = FakeBackend(), FakeChain(clock), FakeReference()
    trail = audit if audit is not None else MemoryAudit(clock)
    numbers = itertools.count(1)
    account = Account(id=ACCOUNT, wallet="hot", wallet_position=0, backend=backend.name)
    async with SqliteLedger.in_memory(clock, trail=trail) as ledger:
        services = wire(
            Ports(
                bindings=(
                    Binding(account=account, backend=keys or backend, chain=chain, references=(reference,)),
                ),
                ledger=ledger,
                audit=trail,
                policies=await Policies.open(source),
                clock=clock,
                log=log,
                new_id=lambda: TransactionId(f"{next(numbers):032x}"),
                follow_interval_ms=10,
                sign_limits=SignLimits(recheck_after_ms=recheck_after_ms),
            )
        )
        yield SignerWorld(
            services=services,
            ledger=ledger,
            audit=trail,
            backend=backend,
            chain=chain,
            reference=reference,
            clock=clock,
            source=source,
            log=log,
        )
