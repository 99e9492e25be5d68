"""Looks now and then at everything that rotates, and says once when something is overdue. Rotates nothing."""

import asyncio
from collections.abc import Sequence

from signer.domain.rotating import Fact, Rotating
from signer.ports.clock import Clock
from signer.ports.events import EventLog
from signer.ports.rotation_facts import FactSource
from signer.service.rotation_schedule import Entry, RotationLimits, Urgency, schedule

_LOOK_EVERY_S = 60


class WatchRotations:
    """Keeps the latest schedule, for metrics."""

    def __init__(
        self, *, sources: Sequence[FactSource], limits: RotationLimits, clock: Clock, log: EventLog
    ) -> None:
        self._sources = sources
        self._limits = limits
        self._clock = clock
        self._log = log
        self._told: dict[tuple[Rotating, str], Urgency] = {}
        self._entries: tuple[Entry, ...] = ()

    @property
    def entries(self) -> tuple[Entry, ...]:
        """The schedule as it was at the last look."""
        return self._entries

    async def run(self) -> None:
        """Look for ever."""
        while True:
            await self.look()
            await asyncio.sleep(_LOOK_EVERY_S)

    async def look(self) -> tuple[Entry, ...]:
        """Look now."""
        facts: list[Fact] = []
        for source in self._sources:
            facts += await source.facts()
        self._entries = schedule(facts, self._limits, self._clock.now())
        for entry in self._entries:
            self._tell(entry)
        return self._entries

    def _tell(self, entry: Entry) -> None:
        key = (entry.what, entry.name)
        if self._told.get(key, Urgency.FINE) is entry.urgency:
            return
        self._told[key] = entry.urgency
        self._log.event(
            f"rotation.{entry.urgency}",
            what=entry.what,
            thing=entry.name,
            due=entry.due,
            command=entry.command,
            problem=entry.problem,
        )
