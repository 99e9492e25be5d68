"""How a device is, for those who only want to know. Refuses to wait behind a person, and raises nothing.

While somebody uses the device it is not touched: the answer is what is known of it. What was seen counts for
two seconds, so that many who ask disturb it no more than one.
"""

import asyncio
from collections.abc import Callable
from typing import Generic, TypeAlias

from signer.adapters.device.owner import DeviceOwner, SessionT, Ticket, still_shows
from signer.adapters.device.states import DeviceState
from signer.adapters.system_clock import steady_ms
from signer.domain.accounts import AccountId
from signer.domain.errors import BrokenError, PreconditionError, SignerError, UnavailableError
from signer.domain.reasons import FailReason
from signer.ports.device import DeviceStatus

LOOK_MS = 4_000
"""The longest that a look may take."""

_FRESH_MS = 2_000

_Problem: TypeAlias = tuple[FailReason, str]


class Looker(Generic[SessionT]):
    """Looks at one device, for any of its accounts."""

    def __init__(
        self,
        owner: DeviceOwner[SessionT],
        *,
        name: str,
        kind: str,
        steady: Callable[[], int] = steady_ms,
        within_ms: int = LOOK_MS,
    ) -> None:
        self._owner = owner
        self._name = name
        self._kind = kind
        self._steady = steady
        self._within_ms = within_ms
        self._one = asyncio.Lock()
        self._looking = 0
        self._seen: dict[AccountId, tuple[int, _Problem | None]] = {}
        self._running: dict[AccountId, asyncio.Task[DeviceStatus]] = {}

    async def look(self, account: AccountId, check: Callable[[SessionT, Ticket], object]) -> DeviceStatus:
        """How it is for this account. `check` raises what a request would; it shows nothing to the person."""
        known = self._known(account)
        if known is not None:
            return known
        running = self._running.get(account)
        if running is None:
            running = self._running[account] = asyncio.create_task(self._ask(account, check))
            running.add_done_callback(lambda _: self._running.pop(account))
        # Who leaves before its end does not end it: torn off, it would cost the device its open wallet.
        return await asyncio.shield(running)

    async def aclose(self) -> None:
        """Wait for looks whose askers have left. Close the owner first: that ends them."""
        await asyncio.gather(*self._running.values())

    async def _ask(self, account: AccountId, check: Callable[[SessionT, Ticket], object]) -> DeviceStatus:
        known: DeviceStatus | None = None
        try:
            async with asyncio.timeout(self._within_ms / 1_000), self._one:
                known = self._known(account)
                if known is None:
                    self._seen[account] = (self._steady(), await self._problem(check))
        except TimeoutError:
            text = f"{self._name}: did not answer within {self._within_ms / 1_000} s: look at its screen"
            self._seen[account] = (self._steady(), (FailReason.DEVICE_BUSY, text))
        return known or self._status(self._seen[account][1])

    async def _problem(self, check: Callable[[SessionT, Ticket], object]) -> _Problem | None:
        self._looking = 1
        try:
            await self._owner.run(check)
        except (UnavailableError, PreconditionError, BrokenError) as error:
            return error.reason, str(error)
        except SignerError as error:
            return FailReason.BROKEN, str(error)
        except Exception as bug:  # noqa: BLE001 - supervision: whoever only looks never fails
            return FailReason.BROKEN, f"{self._name}: could not be looked at, which is a bug of ours: {bug!r}"
        finally:
            self._looking = 0
        return None

    def _known(self, account: AccountId) -> DeviceStatus | None:
        """What can be said without asking the device."""
        at, problem = self._seen.get(account, (None, None))
        if self._owner.state is DeviceState.DRAINING:
            return self._status((FailReason.DEVICE_BUSY, still_shows(self._name)))
        if self._owner.state is DeviceState.REVIEWING:
            return self._status(None)
        if self._others():
            unseen = (FailReason.DEVICE_BUSY, f"{self._name}: a request is on its way to it: look again")
            return self._status(unseen if at is None else problem)
        if at is not None and self._steady() - at < _FRESH_MS:
            return self._status(problem)
        return None

    def _status(self, problem: _Problem | None) -> DeviceStatus:
        reason, message = problem or (None, "")
        return DeviceStatus(
            name=self._name,
            kind=self._kind,
            state=self._owner.state,
            ready=problem is None,
            reason=reason,
            message=message,
            detail=self._owner.detail,
            waiting=self._others(),
        )

    def _others(self) -> int:
        """Requests at the device; a look of ours is none."""
        return self._owner.pending - self._looking
