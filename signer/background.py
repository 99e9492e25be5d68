"""What a signer does beside signing: audit checkpoints, a look at what rotates, figures for Prometheus.

None of it is waited for by a signature, and a failure of it stops none.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING

from prometheus_client.registry import Collector

from signer.adapters.audit_file.checkpoint_file import CheckpointFile, checkpoint_path
from signer.adapters.audit_file.file import AuditFile
from signer.adapters.metrics.approvals import ApprovalMetrics
from signer.adapters.metrics.calls import CallMetrics
from signer.adapters.metrics.rotations import CheckpointMetrics, RotationMetrics
from signer.adapters.metrics.state import StateMetrics
from signer.adapters.vault.checkpoint_key import VaultCheckpointKey
from signer.adapters.vault.rotation_facts import LoginAges
from signer.adapters.vault.transit import Transit
from signer.domain.accounts import AccountId, AccountState
from signer.domain.checkpoints import Rhythm
from signer.ports.clock import Clock
from signer.ports.events import EventLog
from signer.service.accounts import Accounts
from signer.service.approvals.approvals import Approvals
from signer.service.audit_checkpoints import AuditCheckpoints
from signer.service.services import Services
from signer.service.watch_rotations import WatchRotations
from signer.settings import Settings
from signer.what_rotates import host_and_keys, limits_of

if TYPE_CHECKING:  # what talks to Vault is loaded where the settings name one
    from signer.adapters.vault.session import VaultSession

_PAUSE_AFTER_A_BUG_S = 1


class Watched:
    """What the metrics show of the use cases, known only once the signer serves."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._accounts: Accounts | None = None
        self._approvals: Approvals | None = None

    def watch(self, services: Services) -> None:
        """Show these from now on."""
        self._accounts, self._approvals = services.accounts, services.approvals

    def states(self) -> Mapping[AccountId, AccountState]:
        """State of each now."""
        accounts = self._accounts
        return {} if accounts is None else {each: accounts.view(each).state for each in accounts.ids()}

    def waiting(self) -> Mapping[str, tuple[int, ...]]:
        """Ages of what waits for a person, milliseconds, by device."""
        ages: dict[str, tuple[int, ...]] = {}
        for view in () if self._approvals is None else self._approvals.waiting():
            device = view.wanted.device.device
            ages[device] = (*ages.get(device, ()), self._clock.now() - view.wanted.asked_at)
        return ages


@asynccontextmanager
async def beside_signing(
    settings: Settings,
    *,
    audit: AuditFile,
    vault: "VaultSession | None",
    calls: CallMetrics,
    clock: Clock,
    log: EventLog,
) -> AsyncIterator[Watched]:
    """Until the block ends; then the last records of the trail get their checkpoint, if Vault is there."""
    async with AsyncExitStack() as stack:
        checkpoints = await _checkpoints(stack, settings, audit, vault, clock=clock, log=log)
        rotations = _rotations(settings, vault, clock, log)
        await stack.enter_async_context(_kept_up(rotations.run, "rotation.watching_broken", log))
        watched = Watched(clock)
        if settings.metrics_listen is not None:
            from signer.adapters.metrics.server import serving_metrics  # noqa: PLC0415 - a web server

            pages = (
                calls,
                *_collectors(
                    rotations=rotations,
                    checkpoints=checkpoints,
                    watched=watched,
                    audit=audit,
                    vault=vault,
                    clock=clock,
                ),
            )
            port = await stack.enter_async_context(serving_metrics(settings.metrics_listen, pages))
            log.event("metrics.listening", port=port)
        yield watched


async def _checkpoints(
    stack: AsyncExitStack,
    settings: Settings,
    audit: AuditFile,
    vault: "VaultSession | None",
    *,
    clock: Clock,
    log: EventLog,
) -> AuditCheckpoints | None:
    """The task that makes them, under way; None when no key for them is configured."""
    place = settings.vault
    if vault is None or place is None or place.checkpoint_key is None:
        return None
    path = checkpoint_path(settings.audit)
    book = await stack.enter_async_context(CheckpointFile(path, audit))
    if book.torn:
        log.event("checkpoint.torn_line_cut_off", file=str(path))
    checkpoints = AuditCheckpoints(
        trail=audit,
        key=VaultCheckpointKey(Transit(vault, place.transit_mount), place.checkpoint_key),
        book=book,
        rhythm=Rhythm(every_records=place.checkpoint_every_records, every_s=place.checkpoint_every_s),
        clock=clock,
        log=log,
    )
    stack.push_async_callback(checkpoints.finish)
    await stack.enter_async_context(_kept_up(checkpoints.run, "checkpoint.broken", log))
    return checkpoints


def _rotations(
    settings: Settings, vault: "VaultSession | None", clock: Clock, log: EventLog
) -> WatchRotations:
    sources = host_and_keys(settings, vault)
    if vault is not None:
        credential = vault.health.credential
        login = LoginAges(
            login="vault", lease=lambda: vault.lease, needs=lambda: credential.problem, clock=clock
        )
        sources = (*sources, login)
    return WatchRotations(sources=sources, limits=limits_of(settings.rotation), clock=clock, log=log)


def _collectors(
    *,
    rotations: WatchRotations,
    checkpoints: AuditCheckpoints | None,
    watched: Watched,
    audit: AuditFile,
    vault: "VaultSession | None",
    clock: Clock,
) -> Iterator[Collector]:
    yield RotationMetrics(lambda: rotations.entries, clock)
    parts: dict[str, Callable[[], bool]] = {"audit": lambda: audit.works}
    if checkpoints is not None:
        yield CheckpointMetrics(lambda: checkpoints.state, clock)
        parts["audit_checkpoints"] = lambda: checkpoints.state.failing_since is None
    if vault is not None:
        parts["vault"] = lambda: vault.health.serving
        parts["vault_credential"] = lambda: vault.health.credential.serving
    yield StateMetrics(accounts=watched.states, parts=parts)
    yield ApprovalMetrics(watched.waiting)


@asynccontextmanager
async def _kept_up(run: Callable[[], Awaitable[None]], broken: str, log: EventLog) -> AsyncIterator[None]:
    """Run it until the block ends, again and again should it break."""

    async def again_and_again() -> None:
        while True:
            try:
                await run()
            except Exception as bug:  # noqa: BLE001 - supervision boundary: it restarts, signing goes on
                log.event(broken, bug=repr(bug))
                await asyncio.sleep(_PAUSE_AFTER_A_BUG_S)

    task = asyncio.create_task(again_and_again())
    try:
        yield
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
