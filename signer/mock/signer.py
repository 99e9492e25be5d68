"""The mock signer: the real use cases, wire and TLS over a ledger in memory and the public test keys.

Refuses an account that is not one of the ten public test accounts, and every chain that is not local.
"""

import secrets
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from signer.adapters.audit_file.memory import MemoryAudit
from signer.adapters.dev_key.backend import DevKey, DevKeyBackend
from signer.adapters.dev_key.public_accounts import public_index
from signer.adapters.json_rpc.transport import JsonRpc
from signer.adapters.pki.dev_pki import ADMIN_URI, TRADER_URI, write_dev_pki
from signer.adapters.policy_file import PolicyFile
from signer.adapters.sqlite import SqliteLedger
from signer.adapters.system_clock import SystemClock
from signer.api.identity import Identities
from signer.api.revocation import Revocations
from signer.api.server import ServerOptions
from signer.api.tls import ServerTls, TlsFiles
from signer.api.use_cases import SignerUseCases
from signer.app import Edge, serving
from signer.bindings import Node
from signer.domain.accounts import Account, AccountId, ChainName, chain_of, evm_chain_id
from signer.domain.transactions import ClientName, TransactionId
from signer.mock.cuttable_wire import CuttableWire
from signer.mock.script import Script
from signer.mock.scripted import scripted
from signer.mock.stand_in_chain import OneToOne, StandInChain
from signer.ports.audit import AuditReport
from signer.ports.clock import Clock
from signer.ports.events import EventLog
from signer.service.accounts import Binding
from signer.service.clients import Client, Role
from signer.service.path.sign import SignLimits
from signer.service.policies import Policies
from signer.service.services import Ports
from signer.settings import GRANTABLE_METHODS

WALLET = "mock"
_RPC_TIMEOUT_MS = 5_000
_HEAD_MAX_AGE_MS = 250
_FOLLOW_INTERVAL_MS = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class MockSettings:
    """What a mock needs. Without `rpc_url` a stand-in chain says that every price is 1:1.

    Every account of `policy` is served; `pki` is a folder of dev-pki and is made when it is not there.
    """

    policy: Path
    pki: Path
    listen: str = "127.0.0.1:0"
    rpc_url: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MockSigner:
    """A running mock. Clients use `ca.pem`, `trader.pem` and `trader.key` (or `admin.*`) of `pki`."""

    address: str
    accounts: Sequence[AccountId]
    pki: Path
    script: Script
    audit: MemoryAudit


class NoLog:
    """An event log that nobody reads."""

    def event(self, name: str, **fields: object) -> None:
        """Forget it."""


@asynccontextmanager
async def mock_signer(
    settings: MockSettings, *, script: Script | None = None, log: EventLog | None = None
) -> AsyncIterator[MockSigner]:
    """Open a mock. Raises ConfigurationError for an account or a chain that is not a public test one."""
    script, log, clock = script or Script(), log or NoLog(), SystemClock()
    if not (settings.pki / "server.pem").exists():
        write_dev_pki(settings.pki, now=clock.now())
    async with AsyncExitStack() as stack:
        policies = await Policies.open(PolicyFile(settings.policy))
        accounts = tuple(each.account for each in policies.current.accounts)
        audit = MemoryAudit(clock)
        ledger = await stack.enter_async_context(SqliteLedger.in_memory(clock, trail=audit))
        wire = await stack.enter_async_context(CuttableWire(listen=settings.listen))
        edge = _edge(settings.pki, accounts, clock, log)
        ports = Ports(
            bindings=await _bindings(stack, settings, accounts, clock),
            ledger=ledger,
            audit=audit,
            policies=policies,
            clock=clock,
            log=log,
            new_id=lambda: TransactionId(secrets.token_hex(16)),
            follow_interval_ms=_FOLLOW_INTERVAL_MS,
            sign_limits=SignLimits(),
            clients=edge.identities.clients(),
        )

        def shape(real: SignerUseCases) -> SignerUseCases:
            return replace(
                real,
                sign_evm_transaction=scripted(real.sign_evm_transaction, script, wire),
                replace_transaction=scripted(real.replace_transaction, script, wire),
                cancel_transaction=scripted(real.cancel_transaction, script, wire),
            )

        async def whole() -> AuditReport:
            return AuditReport(records=len(audit.records), head_hash="", problem="")

        listening = await stack.enter_async_context(
            serving(ports=ports, edge=edge, verify=whole, log=log, shape=shape)
        )
        wire.target_port = listening.port
        host = settings.listen.rpartition(":")[0]
        yield MockSigner(
            address=f"{host}:{wire.port}", accounts=accounts, pki=settings.pki, script=script, audit=audit
        )


async def _bindings(
    stack: AsyncExitStack, settings: MockSettings, accounts: Sequence[AccountId], clock: Clock
) -> tuple[Binding, ...]:
    backend = DevKeyBackend(DevKey(account=each, mnemonic_index=public_index(each)) for each in accounts)
    chains = {chain_of(each) for each in accounts}
    nodes = {chain: await _node(stack, settings, chain, clock) for chain in chains}
    bindings = []
    for position, each in enumerate(accounts):
        account = Account(id=each, wallet=WALLET, wallet_position=position, backend=backend.name)
        bindings.append(nodes[account.chain].bind(account, backend))
    return tuple(bindings)


async def _node(stack: AsyncExitStack, settings: MockSettings, chain: ChainName, clock: Clock) -> Node:
    chain_id = evm_chain_id(chain)
    if settings.rpc_url is None:
        stand_in = StandInChain(chain_id, clock)
        return Node(chain=stand_in, reference=OneToOne(), holdings=stand_in, broadcaster=stand_in)
    rpc = await stack.enter_async_context(JsonRpc(settings.rpc_url, timeout_ms=_RPC_TIMEOUT_MS))
    return Node.over(rpc, chain_id=chain_id, head_max_age_ms=_HEAD_MAX_AGE_MS, clock=clock)


def _edge(pki: Path, accounts: Sequence[AccountId], clock: Clock, log: EventLog) -> Edge:
    revocations = Revocations()
    grants = dict.fromkeys(accounts, GRANTABLE_METHODS)
    trader = Client(name=ClientName(TRADER_URI), role=Role.TRADER, grants=grants)
    admin = Client(name=ClientName(ADMIN_URI), role=Role.ADMIN)
    files = TlsFiles(certificate=pki / "server.pem", key=pki / "server.key", client_authority=pki / "ca.pem")
    clients = {client.name: client for client in (trader, admin)}
    return Edge(
        # The relay of the script stands before it, so the real port is nobody's business.
        options=ServerOptions(listen="127.0.0.1:0", drain_timeout_s=1),
        identities=Identities(clients=clients, revocations=revocations, clock=clock),
        tls=ServerTls(files, revocations=revocations, log=log),
    )
