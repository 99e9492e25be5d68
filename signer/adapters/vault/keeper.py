"""Keeps one token alive: logs in, renews at 2/3 of the TTL, swaps, revokes the old. Never writes it anywhere.

A new login comes when a new credential appears, when max TTL is near, or when the token died. A way to log in
that needs somebody's help (AppRole) leaves the old token in use for as long as it lives.
"""

import asyncio
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from random import Random

from signer.adapters.vault.api import VaultRefusedError
from signer.adapters.vault.connection import Question
from signer.adapters.vault.exchange import Exchange
from signer.adapters.vault.health import VaultHealth
from signer.adapters.vault.lease import Lease
from signer.adapters.vault.login.port import CredentialReadByAnotherError, Login, LoginFailedError
from signer.domain.errors import UnavailableError
from signer.domain.reasons import FailReason
from signer.domain.time import MS_PER_S, UnixMs
from signer.ports.clock import Clock
from signer.ports.events import EventLog

LOOK_EVERY_S = 1
"""How often the schedule and the files are looked at."""

_PROBE_AFTER_MS = 5 * MS_PER_S
_PAUSE_MS, _LONGEST_PAUSE_MS = 500, 15 * MS_PER_S
_LOOKUP, _RENEW, _REVOKE = "auth/token/lookup-self", "auth/token/renew-self", "auth/token/revoke-self"


class Keeper:
    """The one holder of the token."""

    def __init__(
        self,
        exchange: Exchange,
        login: Login,
        *,
        clock: Clock,
        log: EventLog,
        health: VaultHealth,
        chance: Random,
    ) -> None:
        self._exchange, self._login = exchange, login
        self._clock, self._log, self._health = clock, log, health
        self._login_pause, self._renew_pause, self._revoke_pause = (_Pause(chance) for _ in range(3))
        self._lease: Lease | None = None
        self._lost: UnavailableError = LoginFailedError("there was no login to Vault yet")
        self._retired: list[Lease] = []
        self._in_use: Counter[str] = Counter()
        self._looked_at = UnixMs(0)
        self._clock_went_back = False
        self._lock = asyncio.Lock()

    @property
    def lease(self) -> Lease | None:
        """Token in use and its life; None when there is none that works."""
        return self._lease

    async def current(self) -> Lease:
        """Token in use. Logs in when there is none and that needs nobody; else raises why there is none."""
        return self._lease or await self.instead_of(None)

    async def instead_of(self, dead: Lease | None) -> Lease:
        """Return another token than the one that Vault called invalid. One login, however many ask."""
        async with self._lock:
            if self._lease is dead:
                self._lease = None
                if dead is not None:
                    self._log.event("vault.token_died", login=self._login.name)
                    self._lost = LoginFailedError(
                        "the token is revoked or expired, and another login needs a new credential"
                    )
                await self._log_in_if_possible()
            if self._lease is None:
                raise self._lost
            return self._lease

    @contextmanager
    def using(self, lease: Lease) -> Iterator[str]:
        """Give the token out for one request; it is not revoked meanwhile."""
        self._in_use[lease.token] += 1
        try:
            yield lease.token
        finally:
            self._in_use[lease.token] -= 1
            if not self._in_use[lease.token]:
                del self._in_use[lease.token]

    async def log_in(self) -> None:
        """Log in now. Raises UnavailableError; LoginFailedError when the credential is to blame."""
        async with self._lock:
            await self._log_in()

    async def run(self) -> None:
        """Do what is due, for ever."""
        while True:
            await self.step()
            await asyncio.sleep(LOOK_EVERY_S)

    async def step(self) -> None:
        """Do what is due now: swap, renew, see whether Vault answers. Raises nothing of the world's."""
        async with self._lock:
            now = self._clock.now()
            lease = self._lease
            # The token would end before a clock that was set back says that it is due.
            self._clock_went_back |= now < self._looked_at
            if lease is None or self._login.has_new_credential():
                await self._log_in_if_possible()
            elif self._is_due(lease, now) and self._renew_pause.is_over(now):
                await self._renew(lease)
            self._looked_at = now
            await self._revoke_retired()
        await self._probe()

    async def close(self) -> None:
        """Revoke the token, so that a dump of this process is worth nothing; best effort."""
        async with self._lock:
            lease, self._lease = self._lease, None
        if self._health.answers:
            for each in (*self._retired, *(() if lease is None else (lease,))):
                await self._revoke(each)

    def _is_due(self, lease: Lease, now: UnixMs) -> bool:
        return lease.due_at is not None and (now >= lease.due_at or self._clock_went_back)

    async def _log_in_if_possible(self) -> None:
        """Try, not too often. A failure is told and remembered, and the token in use stays in use."""
        if not (self._login.repeats or self._login.has_new_credential()):
            return
        if not self._login_pause.is_over(self._clock.now()):
            return
        try:
            await self._log_in()
        except UnavailableError as error:
            if self._lease is None:
                self._lost = error

    async def _log_in(self) -> None:
        now, old = self._clock.now(), self._lease
        try:
            lease = await self._login.log_in(self._exchange, now)
        except UnavailableError as error:
            self._login_failed(error)
            raise
        self._lease, self._clock_went_back = lease, False
        self._login_pause.reset()
        self._renew_pause.reset()
        self._health.logged_in()
        self._health.credential.fine()
        self._health.succeeded("login")
        self._log.event("vault.logged_in", login=self._login.name, ttl_s=lease.ttl_s)
        if old is not None:
            self._retired.append(old)

    def _login_failed(self, error: UnavailableError) -> None:
        self._login_pause.lengthen(self._clock.now())
        if isinstance(error, CredentialReadByAnotherError):
            self._health.credential.needs("vault.secret_id_read_by_another", str(error))
        elif isinstance(error, LoginFailedError):
            self._health.credential.needs("vault.login_failed", str(error), login=self._login.name)
        if self._lease is None or not isinstance(error, LoginFailedError):
            self._health.failed("login", error)

    async def _renew(self, lease: Lease) -> None:
        now = self._clock.now()
        if not lease.is_last or not self._login.repeats:
            lease = await self._renewed(lease, now) or lease
        if self._lease is None or (lease.is_last and self._login.repeats):
            await self._log_in_if_possible()
        elif lease.is_last:
            self._health.credential.needs(
                "vault.credential_needed",
                f"the token cannot be renewed much longer; {self._login.name} needs a new credential",
                ends_at=lease.ends_at,
            )

    async def _renewed(self, lease: Lease, now: UnixMs) -> Lease | None:
        """The same token with a longer life, or None. A token that died is put away."""
        if not lease.renewable:
            return None
        try:
            reply = await self._exchange.ask(Question(method="POST", path=_RENEW, token=lease.token, body={}))
            renewed = lease.renewed(reply.auth, now)
        except UnavailableError as error:
            self._renew_pause.lengthen(now)
            self._log.event("vault.not_renewed", reason=error.reason, problem=str(error))
            if error.reason is FailReason.VAULT_LOGGED_OUT:
                self._lease, self._lost = None, error
            return None
        except VaultRefusedError as error:
            self._renew_pause.lengthen(now)
            self._log.event("vault.not_renewed", reason="refused", problem=str(error))
            if self._login.repeats:
                await self._log_in_if_possible()  # another certificate than at the login, for example
            return None
        self._lease, self._clock_went_back = renewed, False
        # A lease near its end has shorter and shorter lives: not more than one renewal in a pause.
        self._renew_pause.lengthen(now) if renewed.is_last else self._renew_pause.reset()
        self._log.event("vault.renewed", ttl_s=renewed.ttl_s)
        return renewed

    async def _revoke_retired(self) -> None:
        """Revoke what was swapped out, when nobody is on the way with it: Vault may look at it twice."""
        now = self._clock.now()
        if not self._revoke_pause.is_over(now):
            return
        idle = [lease for lease in self._retired if not self._in_use[lease.token]]
        for lease in idle:
            if lease.is_over(now) or await self._revoke(lease):
                self._retired.remove(lease)
                self._revoke_pause.reset()
            else:
                self._revoke_pause.lengthen(now)
                return  # the others would hear the same

    async def _revoke(self, lease: Lease) -> bool:
        """False when it may still hold and asking again may help: Vault was away, busy, sealed."""
        try:
            await self._exchange.ask(Question(method="POST", path=_REVOKE, token=lease.token, body={}))
        except (UnavailableError, VaultRefusedError) as error:
            reason = error.reason if isinstance(error, UnavailableError) else None
            if reason is FailReason.VAULT_LOGGED_OUT:
                return True  # dead already: a request before this one did it, and its answer was lost
            self._log.event("vault.old_token_not_revoked", problem=str(error), ends_at=lease.ends_at)
            return reason in {None, FailReason.VAULT_FORBIDDEN}  # Vault's last word on it
        return True

    async def _probe(self) -> None:
        """Ask for something small when nobody else did, so that health is true without traffic."""
        lease, now = self._lease, self._clock.now()
        recent = self._health.succeeded_at
        if lease is None or (
            self._health.serving and recent is not None and 0 <= now - recent < _PROBE_AFTER_MS
        ):
            return
        try:
            await self._exchange.ask(Question(method="GET", path=_LOOKUP, token=lease.token))
        except UnavailableError as error:
            if error.reason is FailReason.VAULT_LOGGED_OUT and self._lease is lease:
                await self._bury(lease)
                return
            if error.reason is not FailReason.VAULT_FORBIDDEN:
                self._health.failed(_LOOKUP, error)
                return
        except VaultRefusedError:
            pass  # it answered, which is what was asked
        self._health.succeeded(_LOOKUP)

    async def _bury(self, lease: Lease) -> None:
        try:
            await self.instead_of(lease)
        except UnavailableError as error:
            self._health.failed(_LOOKUP, error)


class _Pause:
    """A pause that doubles with every failure, with a fifth of chance in it."""

    def __init__(self, chance: Random) -> None:
        self._chance = chance
        self._length_ms = 0
        self._set_at, self._until = UnixMs(0), UnixMs(0)

    def is_over(self, now: UnixMs) -> bool:
        """Whether it may be tried again; also when the clock was set back."""
        return not self._set_at <= now < self._until

    def lengthen(self, now: UnixMs) -> None:
        self._length_ms = min(max(_PAUSE_MS, self._length_ms * 2), _LONGEST_PAUSE_MS)
        spread = self._length_ms // 5
        self._set_at = now
        self._until = UnixMs(now + self._length_ms - self._chance.randint(0, spread))

    def reset(self) -> None:
        self._length_ms = 0
        self._until = UnixMs(0)
