"""A signer's use cases over a real chain, for rotations: look, turn, mine, until nothing is left to do."""

import itertools
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from signer.adapters.audit_file.file import AuditFile
from signer.adapters.audit_file.memory import MemoryAudit
from signer.adapters.dev_key.backend import DevKey, DevKeyBackend
from signer.adapters.evm_rpc.broadcast import EvmBroadcaster
from signer.adapters.evm_rpc.chain_view import EvmChainView
from signer.adapters.evm_rpc.holdings import EvmHoldings
from signer.adapters.evm_rpc.pool_quote import PoolQuote
from signer.adapters.json_rpc.transport import JsonRpc
from signer.adapters.sqlite import SqliteLedger
from signer.adapters.system_clock import SystemClock
from signer.decode.evm.erc20 import approve_call
from signer.domain.accounts import Account, AccountId, AccountState, Address, address_of
from signer.domain.actions import Erc20Approve
from signer.domain.claims import ApproveClaim
from signer.domain.decisions import Denied
from signer.domain.records import TransactionRecord
from signer.domain.requests import SignRequest
from signer.domain.rotation import ROTATION_CLIENT
from signer.domain.transactions import ClientName, EvmPayload, IdempotencyKey, TransactionId
from signer.ports.key_backend import KeyBackend
from signer.service.accounts import Binding
from signer.service.clients import Client, Role
from signer.service.path.sign import SignLimits
from signer.service.policies import Policies
from signer.service.rotation.plan import Patience
from signer.service.rotation.report import RotationReport
from signer.service.rotation.rotate_account import RotateRequest, RotationStep
from signer.service.services import Ports, Services, wire
from tests.fakes.clock import FakeClock
from tests.fakes.reservations import trail_of
from tests.fakes.signer_world import METHODS, ListLog, TextPolicy
from tests.testbed import abi
from tests.testbed.accounts import LIQUIDITY_PROVIDER, dev_account
from tests.testbed.anvil import Anvil
from tests.testbed.signer_program import GWEI, PolicyFigures, policy_text
from tests.testbed.uniswap import ETHER, USDX_UNIT, World

OLD_ADDRESS, NEW_ADDRESS, THIRD_ADDRESS = (Address(dev_account(index).address) for index in (1, 2, 3))
OLD, NEW, THIRD = (AccountId(f"eip155:31337:{each}") for each in (OLD_ADDRESS, NEW_ADDRESS, THIRD_ADDRESS))
ADMIN = Client(name=ClientName("spiffe://test/admin"), role=Role.ADMIN)
TRADER_NAME = ClientName("spiffe://test/trader")

FUNDS = {"USDX": 5_000 * USDX_UNIT, "WETH": 3 * ETHER, "ABC": 700 * ETHER}
NATIVE = 5 * ETHER


@dataclass(frozen=True, slots=True, kw_only=True)
class RotationRig:
    """Everything, open."""

    anvil: Anvil
    world: World
    services: Services
    ledger: SqliteLedger
    audit: MemoryAudit | AuditFile
    clock: FakeClock
    log: ListLog
    trader: Client

    async def rotate(
        self,
        step: RotationStep,
        account: AccountId = OLD,
        new: AccountId | None = None,
        *,
        emergency: bool = False,
    ) -> RotationReport:
        request = RotateRequest(account=account, step=step, new_account=new, emergency=emergency)
        return await self.services.rotate_account(ADMIN, request)

    async def begin(self, new: AccountId = NEW, *, emergency: bool = False) -> RotationReport:
        return await self.rotate(RotationStep.BEGIN, OLD, new, emergency=emergency)

    async def turn(self, *, seconds: int = 1) -> None:
        """What the running signer does once in a while."""
        self.clock.advance_s(seconds)
        for account in self.services.accounts.ids():
            if self.state(account) is not AccountState.RETIRED:
                await self.services.follow_chain.look(account)
                await self.services.rotate_account.after_look(account)

    async def until_swept(self, account: AccountId = OLD, *, turns: int = 60) -> int:
        """Turn and mine until only dust is left; returns how many turns it took."""
        for number in range(turns):
            await self.turn()
            if self.services.accounts.view(account).swept:
                return number
            await self.anvil.mine(1)
        report = await self.rotate(RotationStep.STATUS, account)
        raise AssertionError((report, self.log.events[-5:]))

    async def fund(self, account: AccountId = OLD, tokens: Mapping[str, int] = FUNDS) -> None:
        """Give an account native coin and tokens: all that the policy lists, if nothing else is said."""
        owner = address_of(account)
        await self.anvil.rpc("anvil_setBalance", owner, hex(NATIVE))
        provider = dev_account(LIQUIDITY_PROVIDER).address
        for symbol, amount in tokens.items():
            give = "transfer" if symbol == "WETH" else "mint"
            data = abi.calldata(f"{give}(address,uint256)", owner, amount)
            await self.anvil.send(provider, self.world.token(symbol), data)

    async def approve(self, symbol: str, spender: str, amount: int, account: AccountId = OLD) -> None:
        """An allowance that was given before, by the unlocked key of the test chain."""
        data = abi.calldata("approve(address,uint256)", spender, amount)
        await self.anvil.send(address_of(account), self.world.token(symbol), data)

    async def ask(
        self, key: str, account: AccountId = OLD, *, fee_gwei: int = 20
    ) -> TransactionRecord | Denied:
        """The trader asks for an allowance that the policy allows, which changes nothing of value."""
        action = Erc20Approve(
            token=Address(self.world.usdx), spender=Address(self.world.v2_router), amount=USDX_UNIT
        )
        claim = ApproveClaim(token=action.token, spender=action.spender, amount=action.amount)
        payload = EvmPayload(
            to=action.token,
            value_wei=0,
            data=approve_call(action.spender, action.amount),
            gas_limit=60_000,
            max_fee_per_gas_wei=fee_gwei * GWEI,
            max_priority_fee_per_gas_wei=GWEI,
        )
        request = SignRequest(
            idempotency_key=IdempotencyKey(f"key-of-the-trader-{key}"),
            account=account,
            payload=payload,
            claim=claim,
            request_digest=sha256(f"{key} {payload}".encode()).hexdigest(),
        )
        return await self.services.sign_evm_transaction(self.trader, request)

    async def holdings(self, owner: Address) -> dict[str, int]:
        tokens = {
            symbol: await self.anvil.uint(self.world.token(symbol), "balanceOf(address)", owner)
            for symbol in FUNDS
        }
        return {**tokens, "ETH": await self.anvil.balance(owner)}

    async def allowances(self, owner: Address) -> list[int]:
        return [
            await self.anvil.uint(self.world.token(symbol), "allowance(address,address)", owner, spender)
            for symbol in FUNDS
            for spender in (self.world.v2_router, self.world.swap_router)
        ]

    async def drained(self, account: AccountId = OLD) -> Sequence[TransactionRecord]:
        """Every transaction that the rotation signed for the account, by the ledger's events."""
        found: list[TransactionRecord] = []
        rows = self.ledger._database.reader.execute(
            "SELECT id FROM transactions WHERE account = ? AND client = ? ORDER BY seq",
            (account, ROTATION_CLIENT),
        ).fetchall()
        for (identity,) in rows:
            record = await self.ledger.get(TransactionId(identity))
            assert record is not None
            found.append(record)
        return found

    def state(self, account: AccountId) -> AccountState | None:
        return self.services.accounts.state(account)


@asynccontextmanager
async def rotation_rig(
    anvil: Anvil,
    world: World,
    *,
    url: str | None = None,
    path: Path | None = None,
    figures: PolicyFigures | None = None,
    policy_changes: Sequence[tuple[str, str]] = (),
    clock: FakeClock | None = None,
    keys: KeyBackend | None = None,
) -> AsyncIterator[RotationRig]:
    """A signer that serves OLD, which has a grant for a trader. `keys` are the development keys otherwise.

    `path` keeps its ledger over restarts, and its audit trail beside it, in `trail_of(path)`.
    """
    clock = clock or FakeClock(SystemClock().now())
    text = policy_text([OLD], world, figures or PolicyFigures())
    for before, after in policy_changes:
        assert before in text, before
        text = text.replace(before, after)
    trader = Client(name=TRADER_NAME, role=Role.TRADER, grants={OLD: METHODS})
    log, numbers = ListLog(), itertools.count(clock.now())
    async with AsyncExitStack() as stack:
        audit: MemoryAudit | AuditFile = MemoryAudit(clock)
        if path is not None:
            audit = await stack.enter_async_context(AuditFile(trail_of(path), clock))
        rpc = await stack.enter_async_context(JsonRpc(url or anvil.url, timeout_ms=10_000))
        backend = keys or DevKeyBackend([DevKey(account=OLD, mnemonic_index=1)])
        binding = Binding(
            account=Account(id=OLD, wallet="hot", wallet_position=0, backend=backend.name),
            backend=backend,
            chain=EvmChainView(rpc, chain_id=31337, head_max_age_ms=0, clock=clock),
            references=(PoolQuote(rpc),),
            holdings=EvmHoldings(rpc),
            broadcaster=EvmBroadcaster(rpc),
        )
        ledger = await stack.enter_async_context(SqliteLedger(path, clock, trail=audit))
        services = wire(
            Ports(
                bindings=(binding,),
                ledger=ledger,
                audit=audit,
                policies=await Policies.open(TextPolicy(text)),
                clock=clock,
                log=log,
                new_id=lambda: TransactionId(f"{next(numbers):032x}"),
                follow_interval_ms=10,
                sign_limits=SignLimits(),
                clients=(trader,),
                patience=Patience(in_flight_ms=30_000, stuck_ms=10_000),
            )
        )
        await services.successions.restore()
        yield RotationRig(
            anvil=anvil,
            world=world,
            services=services,
            ledger=ledger,
            audit=audit,
            clock=clock,
            log=log,
            trader=trader,
        )
