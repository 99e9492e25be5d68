"""Ages that only a running signer knows, read from its own metrics page. Follows no redirect."""

from collections.abc import Sequence
from dataclasses import dataclass

import aiohttp
from prometheus_client.parser import text_string_to_metric_families

from signer.domain.rotating import Fact, Rotating
from signer.domain.time import MS_PER_S, UnixMs
from signer.ports.clock import Clock

_TIMEOUT = aiohttp.ClientTimeout(total=5)
_MAX_BYTES = 4 * 1024 * 1024
_OK = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class RunningSignerAges:
    """Implements `signer.ports.rotation_facts.FactSource`: the `wanted` kinds of the page at `listen`."""

    listen: str
    wanted: frozenset[Rotating]
    clock: Clock

    async def facts(self) -> Sequence[Fact]:
        """What the signer said at its last look; one fact with the problem when it cannot be asked."""
        try:
            text = await self._page()
        except (aiohttp.ClientError, TimeoutError, ValueError) as error:
            why = f"the signer's page at {self.listen} cannot be read ({type(error).__name__})"
            return [Fact(what=each, name="-", problem=why) for each in sorted(self.wanted)]
        return self._parsed(text)

    async def _page(self) -> str:
        async with (
            aiohttp.ClientSession(timeout=_TIMEOUT) as session,
            session.get(f"http://{self.listen}/metrics", allow_redirects=False) as answer,
        ):
            if answer.status != _OK:
                raise ValueError(f"status {answer.status}")
            return (await answer.content.read(_MAX_BYTES)).decode()

    def _parsed(self, text: str) -> Sequence[Fact]:
        now = self.clock.now()
        ages: dict[tuple[str, str], int] = {}
        dues: dict[tuple[str, str], int] = {}
        unknown: dict[tuple[str, str], int] = {}
        figures = {
            "airlock_rotation_age_seconds": ages,
            "airlock_rotation_due_seconds": dues,
            "airlock_rotation_unknown": unknown,
        }
        for family in text_string_to_metric_families(text):
            for sample in family.samples:
                if sample.name in figures:
                    key = (sample.labels.get("what", ""), sample.labels.get("name", ""))
                    figures[sample.name][key] = int(sample.value)
        return [
            Fact(
                what=Rotating(what),
                name=name,
                since=UnixMs(now - ages[what, name] * MS_PER_S) if (what, name) in ages else None,
                due=UnixMs(now + dues[what, name] * MS_PER_S) if (what, name) in dues else None,
                problem="the running signer could not look at it" if is_unknown else "",
            )
            for (what, name), is_unknown in unknown.items()
            if what in self.wanted
        ]
