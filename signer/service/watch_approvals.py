"""WatchApprovals: what waits for a person, the devices, what was decided lately. For operators only."""

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, replace

from signer.domain.time import MS_PER_S, UnixMs
from signer.ports.clock import Clock
from signer.ports.device import DeviceStatus
from signer.service.accounts import Accounts, AccountView
from signer.service.approvals.approval import ApprovalView
from signer.service.approvals.approvals import ApprovalOutcome, Approvals
from signer.service.approvals.looks import DeviceLooks, heard
from signer.service.clients import Client, Role

METHOD = "WatchApprovals"
_AT_LEAST_EVERY_MS = 5_000
_NOT_MORE_OFTEN_THAN_MS = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """Everything at one moment; whoever shows it needs no earlier one."""

    at: UnixMs
    approvals: tuple[ApprovalView, ...]
    devices: tuple[DeviceStatus, ...]
    outcomes: tuple[ApprovalOutcome, ...]
    accounts: tuple[AccountView, ...]


class WatchApprovals:
    """Streams pictures. A slow reader gets fewer of them; nothing queues up for it."""

    def __init__(self, *, accounts: Accounts, approvals: Approvals, looks: DeviceLooks, clock: Clock) -> None:
        self._accounts = accounts
        self._approvals = approvals
        self._looks = looks
        self._clock = clock

    async def __call__(self, client: Client) -> AsyncGenerator[Picture, None]:
        """One now, one after every change, and one at least every 5 s, for ever."""
        client.require_role(Role.ADMIN, METHOD)
        async with self._changes() as changed:
            while True:
                changed.clear()
                yield self._picture()
                await asyncio.sleep(_NOT_MORE_OFTEN_THAN_MS / MS_PER_S)
                await heard(changed, within_s=(_AT_LEAST_EVERY_MS - _NOT_MORE_OFTEN_THAN_MS) / MS_PER_S)

    def _picture(self) -> Picture:
        waiting = self._approvals.waiting()
        before = Counter(view.wanted.device.device for view in waiting)
        return Picture(
            at=self._clock.now(),
            approvals=waiting,
            devices=tuple(replace(each, waiting=before[each.name]) for each in self._looks.statuses()),
            outcomes=self._approvals.outcomes(),
            accounts=tuple(self._accounts.view(account) for account in self._accounts.ids()),
        )

    @asynccontextmanager
    async def _changes(self) -> AsyncIterator[asyncio.Event]:
        """Event that is set when an approval, a device or an account changes."""
        with self._approvals.bell() as changed:
            async with self._looks.watched() as device, self._accounts.changes() as views:
                feeds = (
                    asyncio.create_task(_ring_for(device, changed)),
                    asyncio.create_task(_ring_for_each(views, changed)),
                )
                try:
                    yield changed
                finally:
                    for feed in feeds:
                        feed.cancel()
                        with suppress(asyncio.CancelledError):
                            await feed


async def _ring_for(event: asyncio.Event, bell: asyncio.Event) -> None:
    while True:
        await event.wait()
        event.clear()
        bell.set()


async def _ring_for_each(views: "asyncio.Queue[AccountView]", bell: asyncio.Event) -> None:
    while True:
        await views.get()
        bell.set()
