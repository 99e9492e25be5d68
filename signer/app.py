"""The signer as one process: opens what the settings name, serves, drains, closes. Decides nothing itself."""

import asyncio
import contextlib
import gc
import secrets
import signal
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import uvloop

from signer.adapters.audit_file.file import AuditFile
from signer.adapters.audit_file.verify import verify
from signer.adapters.event_log import JsonEventLog
from signer.adapters.metrics.calls import CallMetrics
from signer.adapters.policy_file import PolicyFile
from signer.adapters.policy_signature_file import PolicySignatureFile
from signer.adapters.process_memory import forbid_dumps
from signer.adapters.sqlite import SqliteLedger
from signer.adapters.system_clock import SystemClock
from signer.api.identity import Identities
from signer.api.revocation import Revocations
from signer.api.server import Listening, ServerOptions, serve
from signer.api.tls import ServerTls, TlsFiles
from signer.api.use_cases import AdminUseCases, SignerUseCases
from signer.background import beside_signing
from signer.bindings import open_bindings
from signer.domain.errors import UnavailableError
from signer.domain.transactions import ClientName, TransactionId
from signer.ports.audit import AuditReport
from signer.ports.clock import Clock
from signer.ports.events import EventLog
from signer.ports.health import PartHealth
from signer.ports.meter import CallMeter, NoMeter
from signer.service.clients import Client, Role
from signer.service.guard_policy import GuardPolicy
from signer.service.path.sign import SignLimits
from signer.service.policies import Policies
from signer.service.services import Ports, Services, wire
from signer.service.verify_audit import Verify, VerifyAudit
from signer.settings import Settings, surroundings_of

if TYPE_CHECKING:  # what talks to Vault is loaded where the settings name one
    from signer.adapters.vault.session import VaultSession


@dataclass(frozen=True, slots=True, kw_only=True)
class Edge:
    """Everything between the network and the use cases."""

    options: ServerOptions
    identities: Identities
    tls: ServerTls
    meter: CallMeter = field(default_factory=NoMeter)


def run(
    settings: Settings, *, accept_restored_ledger: bool = False, accept_other_guardian: bool = False
) -> None:
    """Serve until SIGTERM or SIGINT. Raises ConfigurationError for settings that cannot be used."""
    forbid_dumps()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(
            _until_told_to_stop(
                settings,
                accept_restored_ledger=accept_restored_ledger,
                accept_other_guardian=accept_other_guardian,
            )
        )


def _settle_memory() -> None:
    """Leave what is there for good out of every later garbage collection, and collect less often."""
    gc.freeze()
    gc.set_threshold(10_000, 20, 20)


async def _until_told_to_stop(
    settings: Settings, *, accept_restored_ledger: bool, accept_other_guardian: bool
) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    async with open_signer(
        settings,
        clock=SystemClock(),
        log=JsonEventLog(),
        accept_restored_ledger=accept_restored_ledger,
        accept_other_guardian=accept_other_guardian,
    ):
        _settle_memory()
        await stop.wait()


@asynccontextmanager
async def open_signer(
    settings: Settings,
    *,
    clock: Clock,
    log: EventLog,
    accept_restored_ledger: bool = False,
    accept_other_guardian: bool = False,
) -> AsyncIterator[Listening]:
    """The real signer, open and serving."""
    async with AsyncExitStack() as stack:
        policies = await Policies.open(PolicyFile(settings.policy), surroundings_of(settings))
        calls = CallMetrics()
        make_edge = partial(real_edge, settings, clock=clock, log=log, meter=calls)
        # A certificate that lies there is looked at before anything is opened; Vault's comes with its login.
        edge = make_edge() if settings.tls.vault is None else None
        audit = AuditFile(settings.audit, clock)
        # The ledger first: it refuses a second signer by the process id of the first.
        ledger = await stack.enter_async_context(
            SqliteLedger(settings.ledger, clock, trail=audit, accept_restored=accept_restored_ledger)
        )
        await stack.enter_async_context(audit)
        for record in ledger.released_at_start:
            log.event("ledger.released_at_start", transaction=record.id, nonce=record.nonce)
        if audit.torn is not None:
            log.event("audit.torn_record_moved_aside", file=str(audit.torn))
        guard_policy = GuardPolicy(
            guardian=settings.policy_guardian,
            signatures=PolicySignatureFile(settings.policy),
            memory=ledger,
            audit=audit,
            clock=clock,
            log=log,
        )
        await guard_policy(policies, accept_other=accept_other_guardian)
        # Late, since a login may use up a credential: what else can be wrong was found before.
        vault = await stack.enter_async_context(_vault(settings, clock, log))
        edge = edge or make_edge()
        ports = Ports(
            bindings=await stack.enter_async_context(open_bindings(settings, vault, clock=clock, log=log)),
            ledger=ledger,
            audit=audit,
            policies=policies,
            clock=clock,
            log=log,
            new_id=lambda: _new_id(clock),
            follow_interval_ms=settings.limits.follow_interval_ms,
            sign_limits=SignLimits(recheck_after_ms=settings.limits.recheck_after_ms),
            clients=edge.identities.clients(),
        )
        watched = await stack.enter_async_context(
            beside_signing(settings, audit=audit, vault=vault, calls=calls, clock=clock, log=log)
        )
        yield await stack.enter_async_context(
            serving(
                ports=ports,
                edge=edge,
                verify=_verifier(settings.audit),
                log=log,
                parts=() if vault is None else (vault.health, vault.health.credential),
                watch=watched.watch,
            )
        )


@asynccontextmanager
async def serving(
    *,
    ports: Ports,
    edge: Edge,
    verify: Verify,
    log: EventLog,
    parts: Sequence[PartHealth] = (),
    shape: Callable[[SignerUseCases], SignerUseCases] | None = None,
    watch: Callable[[Services], None] | None = None,
) -> AsyncIterator[Listening]:
    """Use cases over any ports, behind the real edge; `shape` may wrap them (the mock's script does).

    `parts` show in the health service; `watch` is told the use cases, for metrics.

    At the end, what is in flight is finished before anything closes.
    """
    services = wire(ports)
    await services.successions.restore()
    if watch is not None:
        watch(services)
    await _open_accounts(services, log)
    following = asyncio.create_task(_keep_following(services, log))
    use_cases = _signer_use_cases(services)
    try:
        async with serve(
            options=edge.options,
            signer=use_cases if shape is None else shape(use_cases),
            admin=_admin_use_cases(services, VerifyAudit(verify=verify)),
            identities=edge.identities,
            tls=edge.tls,
            log=log,
            meter=edge.meter,
            parts=parts,
        ) as listening:
            try:
                yield listening
            finally:
                services.approvals.close()  # calls that wait for a person would hold the server's end up
    finally:
        await services.replay.drain()
        await _ended(following)


def real_edge(settings: Settings, *, clock: Clock, log: EventLog, meter: CallMeter | None = None) -> Edge:
    """Listeners, identities and certificates as the settings say."""
    revocations = Revocations()
    socket = settings.unsafe_plaintext_unix_socket
    clients = {
        ClientName(client.san): Client(
            name=ClientName(client.san), role=Role(client.role), grants=dict(client.methods_by_account())
        )
        for client in settings.clients
    }
    return Edge(
        options=ServerOptions(
            listen=settings.listen,
            admin_listen=settings.admin_listen,
            unsafe_plaintext_unix_socket=None if socket is None else socket.path,
            reflection=settings.reflection,
            max_in_flight=settings.limits.max_in_flight,
            max_watchers=settings.limits.max_watchers,
            max_connection_age_s=settings.limits.max_connection_age_s,
            drain_timeout_s=settings.limits.drain_timeout_s,
        ),
        identities=Identities(
            clients=clients,
            revocations=revocations,
            clock=clock,
            unix_socket_client=None if socket is None else ClientName(socket.client),
        ),
        tls=ServerTls(
            TlsFiles(
                certificate=settings.tls.certificate,
                key=settings.tls.key,
                client_authority=settings.tls.client_ca,
                revocation_list=settings.tls.revocation_list,
            ),
            revocations=revocations,
            log=log,
        ),
        meter=meter or NoMeter(),
    )


@asynccontextmanager
async def _vault(settings: Settings, clock: Clock, log: EventLog) -> "AsyncIterator[VaultSession | None]":
    """The Vault that the settings name; certificate and revocation list are there, and fresh from then on."""
    if settings.vault is None:
        yield None
        return
    from signer.vault_access import certificate_keeper, open_vault  # noqa: PLC0415 - see above

    async with AsyncExitStack() as stack:
        vault = await stack.enter_async_context(open_vault(settings.vault, clock=clock, log=log))
        keeper = certificate_keeper(settings.tls, vault, clock=clock, log=log)
        if keeper is not None:
            await keeper.begin()
            stack.push_async_callback(_ended, asyncio.create_task(keeper.run()))
        yield vault


async def _ended(task: "asyncio.Task[None]") -> None:
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task


async def _open_accounts(services: Services, log: EventLog) -> None:
    for account in services.accounts.ids():
        try:
            await services.accounts.ensure_open(account)
        except UnavailableError as error:
            # Its node may come back; until then its requests answer UNAVAILABLE.
            log.event("account.not_opened", account=account, problem=str(error))


async def _keep_following(services: Services, log: EventLog) -> None:
    while True:
        try:
            await services.follow_chain.run()
        except Exception as bug:  # noqa: BLE001 - supervision boundary: following restarts, signing goes on
            log.event("chain.following_broken", bug=repr(bug))
            await asyncio.sleep(1)


def _new_id(clock: Clock) -> TransactionId:
    """Time first, so that new rows lie side by side in the ledger's index; the rest cannot be guessed."""
    return TransactionId(f"{clock.now():012x}{secrets.token_hex(10)}")


def _verifier(path: Path) -> Verify:
    async def check() -> AuditReport:
        found = await asyncio.to_thread(verify, path)
        problem = "" if found.problem is None else f"line {found.problem.line}: {found.problem.why}"
        return AuditReport(records=found.records, head_hash=found.head_hash, problem=problem)

    return check


def _signer_use_cases(services: Services) -> SignerUseCases:
    return SignerUseCases(
        list_accounts=services.list_accounts,
        choose_account=services.choose_account,
        sign_evm_transaction=services.sign_evm_transaction,
        evaluate=services.evaluate,
        replace_transaction=services.replace_transaction,
        cancel_transaction=services.cancel_transaction,
        report_broadcast=services.report_broadcast,
        get_transaction=services.get_transaction,
        get_budget=services.get_budget,
        watch_transactions=services.watch_transactions,
    )


def _admin_use_cases(services: Services, verify_audit: VerifyAudit) -> AdminUseCases:
    return AdminUseCases(
        pause=services.pause,
        resume=services.resume,
        reload_policy=services.reload_policy,
        reconcile_nonces=services.reconcile_nonces,
        rotate_account=services.rotate_account,
        watch_approvals=services.watch_approvals,
        dismiss_approval=services.dismiss_approval,
        verify_audit=verify_audit,
    )
