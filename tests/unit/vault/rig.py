"""A keeper whose Vault is a script, on a clock that stands still."""

from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random

from typing_extensions import override

from signer.adapters.vault.connection import Connection, Question, Target
from signer.adapters.vault.errors import status_failure
from signer.adapters.vault.exchange import Exchange, Reply
from signer.adapters.vault.health import VaultHealth
from signer.adapters.vault.keeper import Keeper
from signer.adapters.vault.lease import Lease
from signer.domain.time import MS_PER_S, UnixMs
from tests.fakes.clock import FakeClock
from tests.fakes.signer_world import ListLog


class ScriptedVault(Exchange):
    """Renews and revokes; `fail` makes the next questions end with an error."""

    def __init__(self, clock: FakeClock) -> None:
        super().__init__(Connection(Target(address="http://127.0.0.1:1", ca=None)))
        self._clock = clock
        self.fail: Exception | None = None
        self.alive: set[str] = set()
        self.max_ttl_ends: dict[str, int] = {}
        self.asked: list[str] = []

    @override
    async def ask(self, question: Question) -> Reply:
        self.asked.append(question.path)
        if self.fail is not None:
            raise self.fail
        if question.token not in self.alive:
            raise status_failure(question.path, 403, ("invalid token",))
        if question.path == "auth/token/revoke-self":
            self.alive.discard(question.token)
        if question.path == "auth/token/renew-self":
            left_s = (self.max_ttl_ends[question.token] - self._clock.now()) // MS_PER_S
            return Reply(auth={"lease_duration": min(60, left_s), "renewable": True})
        return Reply()


class ScriptedLogin:
    """Gives tokens `t1`, `t2` …; `failure` is raised instead."""

    name = "scripted"

    def __init__(self, vault: ScriptedVault, *, repeats: bool) -> None:
        self._vault = vault
        self.repeats = repeats
        self.new_credential = False
        self.failure: Exception | None = None
        self.logins = 0

    def has_new_credential(self) -> bool:
        return self.new_credential

    async def log_in(self, vault: Exchange, now: UnixMs) -> Lease:
        assert vault is self._vault
        self.new_credential = False
        self.logins += 1
        if self.failure is not None:
            raise self.failure
        token = f"t{self.logins}"
        self._vault.alive.add(token)
        self._vault.max_ttl_ends[token] = now + 180 * MS_PER_S
        return Lease(token=token, at=now, ttl_s=60, full_ttl_s=60, renewable=True)


@dataclass(kw_only=True)
class Rig:
    """A keeper and what surrounds it."""

    clock: FakeClock = field(default_factory=FakeClock)
    log: ListLog = field(default_factory=ListLog)
    repeats: bool = True

    def __post_init__(self) -> None:
        self.vault = ScriptedVault(self.clock)
        self.login = ScriptedLogin(self.vault, repeats=self.repeats)
        self.health = VaultHealth(self.clock, self.log)
        self.keeper = Keeper(
            self.vault,
            self.login,
            clock=self.clock,
            log=self.log,
            health=self.health,
            chance=Random(1),
        )

    async def seconds(self, count: int, *, each: Callable[[], None] = lambda: None) -> None:
        """Let time pass; the keeper looks once a second, as in real life."""
        for _ in range(count):
            self.clock.advance_s(1)
            await self.keeper.step()
            each()

    @property
    def token(self) -> str | None:
        return None if self.keeper.lease is None else self.keeper.lease.token

    def renewals(self) -> int:
        return self.vault.asked.count("auth/token/renew-self")

    def told(self, name: str) -> list[dict[str, object]]:
        """Events of this name."""
        return [fields for event, fields in self.log.events if event == name]
