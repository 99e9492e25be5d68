"""Whether an account would sign now, at any amount: its state, hours and device. Asks no chain and no key."""

from dataclasses import dataclass

from signer.domain.accounts import AccountId
from signer.domain.errors import BrokenError, PreconditionError, UnavailableError
from signer.domain.reasons import FailReason
from signer.ports.clock import Clock
from signer.ports.device import DeviceStatus
from signer.service.accounts import Accounts

_AWAY = frozenset({FailReason.DEVICE_GONE, FailReason.DEVICE_BUSY})
"""What may be tried again by itself; for nearly everything else somebody has to act."""
_BROKEN = frozenset({FailReason.BROKEN, FailReason.SIGNATURE_INVALID})


@dataclass(frozen=True, slots=True, kw_only=True)
class NotReady:
    """Why not, with what to do."""

    reason: FailReason
    message: str

    def error(self) -> PreconditionError | UnavailableError | BrokenError:
        """The same as the error that a signature would end with."""
        if self.reason in _AWAY:
            return UnavailableError(self.reason, self.message)
        if self.reason in _BROKEN:
            return BrokenError(self.reason, self.message)
        return PreconditionError(self.reason, self.message)


class Readiness:
    """Looks at accounts."""

    def __init__(self, *, accounts: Accounts, clock: Clock) -> None:
        self._accounts = accounts
        self._clock = clock

    async def why_not(self, account: AccountId) -> NotReady | None:
        """Why the account would sign nothing now; None when it would. Raises NotFoundError.

        Waits for a device no longer than a look at it takes, and never behind a person.
        """
        try:
            self._accounts.require_signing(account)
        except PreconditionError as error:
            return NotReady(reason=error.reason, message=str(error))
        return self.out_of_hours(account) or await self.device_of(account)

    def out_of_hours(self, account: AccountId) -> NotReady | None:
        """Why it is not the account's time; None when it is."""
        why = self._accounts.binding(account).condition.why_not_now(self._clock.now())
        if why is None:
            return None
        return NotReady(
            reason=FailReason.WALLET_CONDITION, message=f"{account} {why}: wait, or ask the next account"
        )

    async def device_of(self, account: AccountId) -> NotReady | None:
        """Why the account's device takes no request now; None when it does, or may be waited for."""
        binding = self._accounts.binding(account)
        if binding.device is None or not binding.condition.device_ready:
            return None
        return _problem_of(await binding.device.look(account))


def _problem_of(status: DeviceStatus) -> NotReady | None:
    if status.ready:
        return None
    reason = status.reason or FailReason.DEVICE_REFUSES
    return NotReady(reason=reason, message=status.message or f"{status.name} is {status.state}")
