"""A signer with one wallet of three accounts, two hot ones and one before a person, on public test keys.

The ledger is the real one, in memory; the chain says what the test tells it.
"""

import asyncio
import itertools
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace

from coincurve import PrivateKey
from typing_extensions import override

from signer.adapters.audit_file.memory import MemoryAudit
from signer.adapters.sqlite import SqliteLedger
from signer.domain.accounts import Account, AccountId, Address, address_of, chain_of
from signer.domain.actions import Action, Swap
from signer.domain.errors import SignerError
from signer.domain.reasons import FailReason
from signer.domain.requests import SignRequest
from signer.domain.transactions import ClientName, TransactionId
from signer.domain.wallets import ALWAYS, Condition
from signer.ports.device import DeviceStatus
from signer.service.accounts import Binding
from signer.service.clients import Client, Role
from signer.service.path.sign import SignLimits
from signer.service.policies import Policies
from signer.service.services import Ports, Services, wire
from tests.fakes import policies
from tests.fakes.clock import FakeClock
from tests.fakes.fake_device import FakeDevice
from tests.fakes.signer_world import METHODS, FakeBackend, FakeChain, FakeReference, ListLog, TextPolicy
from tests.fakes.signer_world import sign_request as first_account_request
from tests.testbed.accounts import dev_account

WALLET = "main"
ADDRESSES = tuple(Address(dev_account(index).address) for index in (1, 2, 3))
ACCOUNTS = tuple(AccountId(f"eip155:31337:{address}") for address in ADDRESSES)
HOT, WARM, COLD = ACCOUNTS
"""In the wallet's order; COLD is on the device."""
CHAIN = chain_of(HOT)
TRADER = Client(
    name=ClientName("spiffe://test/trader"), role=Role.TRADER, grants=dict.fromkeys(ACCOUNTS, METHODS)
)


def client(grants: Mapping[AccountId, Sequence[str]]) -> Client:
    """Somebody with these grants."""
    return replace(TRADER, grants={account: frozenset(methods) for account, methods in grants.items()})


@dataclass
class OneKey(FakeBackend):
    """Signs for one account, or fails as `trouble` says."""

    trouble: SignerError | None = None

    def __post_init__(self) -> None:
        self.key = key_of(self.account)
        self.before = self._fail

    async def _fail(self) -> None:
        if self.trouble is not None:
            raise self.trouble


@dataclass
class Desk(FakeDevice):
    """A device that is as the test says; `looks` counts who asked."""

    problem: tuple[FailReason, str] | None = None
    looks: int = 0

    def forget_presses(self) -> None:
        """The person takes the hand off the button."""
        while not self._presses.empty():
            self._presses.get_nowait()

    @override
    async def look(self, account: AccountId) -> DeviceStatus:
        self.looks += 1
        reason, message = self.problem or (None, "")
        return DeviceStatus(
            name=self.device,
            kind=self.name,
            state="idle",
            ready=self.problem is None,
            reason=reason,
            message=message,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class WalletWorld:
    """Everything, open."""

    services: Services
    ledger: SqliteLedger
    keys: Mapping[AccountId, OneKey]
    desk: Desk
    chain: FakeChain
    clock: FakeClock
    source: TextPolicy
    audit: MemoryAudit
    numbers: "itertools.count[int]" = field(default_factory=itertools.count)

    def request(self, account: AccountId, action: Action | None = None) -> SignRequest:
        """A request with a key of its own; by default for a swap that the policy allows."""
        key = f"wallet-{next(self.numbers):012d}"
        chosen = swap(account) if action is None else action
        return replace(first_account_request(key, chosen), account=account)

    async def until(self, seen: Callable[[], bool]) -> None:
        """Wait for what another task does."""
        async with asyncio.timeout(60):
            while not seen():  # noqa: ASYNC110 - no event tells it
                await asyncio.sleep(0.001)


def swap(account: AccountId, amount_in: int = 1_000_000) -> Swap:
    """The swap of `policies`, by another account and of another size, with time for a person."""
    return replace(
        policies.SWAP,
        recipient=address_of(account),
        amount_in=amount_in,
        minimum_out=1_000_000,
        deadline=policies.NOW_S + 120,
    )


def key_of(account: AccountId) -> PrivateKey:
    """The public test key of an account."""
    index = 1 + ACCOUNTS.index(account)
    return PrivateKey.from_hex(dev_account(index).private_key.removeprefix("0x"))


def policy_text(changes: Mapping[AccountId, Sequence[tuple[str, str]]] | None = None) -> str:
    """One table for each account, each with texts replaced."""
    text = ""
    for account in ACCOUNTS:
        own = policies.POLICY.replace(policies.OWN, address_of(account))
        for before, after in (changes or {}).get(account, ()):
            assert before in own, before
            own = own.replace(before, after)
        text += own
    return text


@asynccontextmanager
async def wallet_world(
    *,
    conditions: Mapping[AccountId, Condition] | None = None,
    policy: str | None = None,
    attended: bool = True,
) -> AsyncIterator[WalletWorld]:
    """Open a world; the clock stands at `policies.NOW`. `attended`: COLD is on the device, else in memory."""
    clock = FakeClock(policies.NOW)
    chain, source, audit = AnyAccountChain(clock), TextPolicy(policy or policy_text()), MemoryAudit(clock)
    keys = {account: OneKey(account=account) for account in ACCOUNTS}
    desk = Desk(inner=keys[COLD])
    numbers = itertools.count(1)
    bindings = tuple(
        Binding(
            account=Account(id=account, wallet=WALLET, wallet_position=position, backend="fake"),
            backend=desk if account == COLD and attended else keys[account],
            chain=chain,
            references=(FakeReference(),),
            condition=(conditions or {}).get(account, ALWAYS),
        )
        for position, account in enumerate(ACCOUNTS)
    )
    async with SqliteLedger.in_memory(clock, trail=audit) as ledger:
        services = wire(
            Ports(
                bindings=bindings,
                ledger=ledger,
                audit=audit,
                policies=await Policies.open(source),
                clock=clock,
                log=ListLog(),
                new_id=lambda: TransactionId(f"{next(numbers):032x}"),
                follow_interval_ms=10,
                sign_limits=SignLimits(),
            )
        )
        for account in ACCOUNTS:
            await services.accounts.ensure_open(account)
        yield WalletWorld(
            services=services,
            ledger=ledger,
            keys=keys,
            desk=desk,
            chain=chain,
            clock=clock,
            source=source,
            audit=audit,
        )


class AnyAccountChain(FakeChain):
    """A chain on which nobody has sent anything."""

    @override
    async def transaction_count(self, address: Address, block_number: int) -> int:
        self._check()
        return 0
