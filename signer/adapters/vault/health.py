"""Whether Vault works for us, and whether its login will last. Tells each change once, with the reason."""

from signer.domain.errors import UnavailableError
from signer.domain.reasons import FailReason
from signer.domain.time import MS_PER_S, UnixMs
from signer.ports.clock import Clock
from signer.ports.events import EventLog

SERVICE = "airlock.vault"
CREDENTIAL_SERVICE = "airlock.vault.credential"
_CALM_MS = 1 * MS_PER_S
_MAX_PATHS = 32


class VaultHealth:
    """State of one session. A failure counts at once; a success after a second without another failure."""

    name = SERVICE

    def __init__(self, clock: Clock, log: EventLog) -> None:
        self._clock, self._log = clock, log
        self._problem: UnavailableError | None = None
        self._failed_at = UnixMs(0)
        self._forbidden: dict[str, UnavailableError] = {}
        self._told: FailReason | None = None
        self.succeeded_at: UnixMs | None = None
        self.credential = CredentialHealth(log)

    @property
    def serving(self) -> bool:
        """Whether requests work."""
        return self.problem is None

    @property
    def answers(self) -> bool:
        """Whether Vault itself works; a path that the role may not use does not count."""
        return self._problem is None

    @property
    def problem(self) -> UnavailableError | None:
        """What is wrong now: Vault itself, else a path that the role may not use."""
        return self._problem or next(iter(self._forbidden.values()), None)

    def failed(self, path: str, error: UnavailableError) -> None:
        """Note a request that got no answer."""
        if error.reason is FailReason.VAULT_FORBIDDEN:
            if len(self._forbidden) < _MAX_PATHS:
                self._forbidden[path] = error
        else:
            self._problem, self._failed_at = error, self._clock.now()
        self._tell()

    def succeeded(self, path: str) -> None:
        """Note a request that was answered."""
        now = self._clock.now()
        self.succeeded_at = now
        self._forbidden.pop(path, None)
        # Half of the requests failing is one trouble, not a line in the log for each of them.
        if self._problem is not None and not 0 <= now - self._failed_at < _CALM_MS:
            self._problem = None
        self._tell()

    def logged_in(self) -> None:
        """Note a new token: what the old one was refused may work now."""
        self._forbidden.clear()

    def _tell(self) -> None:
        problem = self.problem
        reason = None if problem is None else problem.reason
        if reason is self._told:
            return
        self._told = reason
        if problem is None:
            self._log.event("vault.serving")
        else:
            self._log.event("vault.not_serving", reason=problem.reason, problem=str(problem))


class CredentialHealth:
    """Whether the login will last. Signing goes on while this says no, until the token ends."""

    name = CREDENTIAL_SERVICE

    def __init__(self, log: EventLog) -> None:
        self._log = log
        self._problem = ""

    @property
    def serving(self) -> bool:
        """Whether nobody has to act."""
        return not self._problem

    @property
    def problem(self) -> str:
        """What somebody has to do; empty for nothing."""
        return self._problem

    def needs(self, event: str, problem: str, **fields: object) -> None:
        """Somebody has to act; `event` names it in the log, once."""
        if problem != self._problem:
            self._problem = problem
            self._log.event(event, problem=problem, **fields)

    def fine(self) -> None:
        """A login worked."""
        self._problem = ""
