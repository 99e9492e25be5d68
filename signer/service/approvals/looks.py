"""How the devices are, for people who watch. Asks nothing of a device while nobody does."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

from signer.domain.accounts import AccountId
from signer.domain.reasons import FailReason
from signer.domain.time import MS_PER_S
from signer.ports.device import DeviceStatus
from signer.ports.events import EventLog
from signer.ports.key_backend import AttendedBackend
from signer.service.accounts import Accounts
from signer.service.approvals.approvals import Approvals

UNKNOWN = "unknown"
"""State of a device that has not been looked at, or does not answer."""

_AGAIN_AFTER_S = 5
_NOT_MORE_OFTEN_THAN_MS = 500
_ANSWERS_WITHIN_S = 6


class DeviceLooks:
    """Looks at each device now and then, one look at a time, and keeps what it said last."""

    def __init__(self, *, accounts: Accounts, approvals: Approvals, log: EventLog) -> None:
        self._accounts = accounts
        self._approvals = approvals
        self._log = log
        self._said: dict[str, DeviceStatus] = {}
        self._looking: dict[str, asyncio.Task[None]] = {}
        self._watchers: set[asyncio.Event] = set()

    def statuses(self) -> tuple[DeviceStatus, ...]:
        """Every device that serves an account, by what it said last. Waits for nobody."""
        return tuple(
            self._said.get(name) or _unknown(backend, "has not been looked at yet")
            for name, (backend, _account) in self._devices().items()
        )

    @asynccontextmanager
    async def watched(self) -> AsyncIterator[asyncio.Event]:
        """Look until the block ends; the event is set when a device is not as it was."""
        changed = asyncio.Event()
        self._watchers.add(changed)
        try:
            self._look_at_all()
            yield changed
        finally:
            self._watchers.discard(changed)
            if not self._watchers:
                await self._stop()

    def _look_at_all(self) -> None:
        for name, (backend, account) in self._devices().items():
            if name not in self._looking:
                self._looking[name] = asyncio.create_task(self._keep_looking(backend, account))

    def _devices(self) -> Mapping[str, tuple[AttendedBackend, AccountId]]:
        """Each device with the first account on it, which it is asked about."""
        devices: dict[str, tuple[AttendedBackend, AccountId]] = {}
        for account in self._accounts.ids():
            backend = self._accounts.binding(account).device
            if backend is not None:
                devices.setdefault(backend.device, (backend, account))
        return devices

    async def _keep_looking(self, backend: AttendedBackend, account: AccountId) -> None:
        with self._approvals.bell() as bell:
            while True:
                bell.clear()
                self._keep(await self._look(backend, account))
                await asyncio.sleep(_NOT_MORE_OFTEN_THAN_MS / MS_PER_S)
                await heard(bell, within_s=_AGAIN_AFTER_S)

    async def _look(self, backend: AttendedBackend, account: AccountId) -> DeviceStatus:
        try:
            async with asyncio.timeout(_ANSWERS_WITHIN_S):
                return await backend.look(account)
        except TimeoutError:
            return _unknown(backend, "does not answer")
        except Exception as bug:  # noqa: BLE001 - supervision: looking goes on, and signing never notices
            self._log.event("device.look_broken", device=backend.device, bug=repr(bug))
            return _unknown(backend, "could not be looked at; see the log")

    def _keep(self, status: DeviceStatus) -> None:
        if self._said.get(status.name) != status:
            self._said[status.name] = status
            for changed in self._watchers:
                changed.set()

    async def _stop(self) -> None:
        """What a device said before is no news for whoever watches next."""
        looking = tuple(self._looking.values())
        self._looking.clear()
        self._said.clear()
        for task in looking:
            task.cancel()
        await asyncio.gather(*looking, return_exceptions=True)


async def heard(event: asyncio.Event, *, within_s: float) -> None:
    """Wait until the event is set, or the time is up."""
    try:
        async with asyncio.timeout(within_s):
            await event.wait()
    except TimeoutError:
        return


def _unknown(backend: AttendedBackend, why: str) -> DeviceStatus:
    return DeviceStatus(
        name=backend.device,
        kind=backend.name,
        state=UNKNOWN,
        ready=False,
        reason=FailReason.DEVICE_BUSY,
        message=f"{backend.device} {why}",
    )
