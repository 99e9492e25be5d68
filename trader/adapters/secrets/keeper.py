"""Supplies the parts of the trader with secrets that change. Logs which one changed, and never shows it."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Protocol, TypeAlias

import structlog
from pydantic import SecretStr
from structlog.typing import FilteringBoundLogger

from trader.domain.errors import TraderError
from trader.domain.secret_refs import is_reference, parse_reference
from trader.engine.supervisor import pause
from trader.ports.secrets import Secrets

log: FilteringBoundLogger = structlog.get_logger("trader")

Use: TypeAlias = Callable[[str], Awaitable[None]]

LOOK_EVERY_MS = 10_000


@dataclass(frozen=True, slots=True)
class Composed:
    """A value made of several texts, each of which may be a reference."""

    parts: tuple[str, ...]
    compose: Callable[[tuple[str, ...]], str]


Text: TypeAlias = str | Composed


@dataclass(slots=True, kw_only=True)
class _Watched:
    setting: str
    text: Text
    use: Use
    value: SecretStr = field(repr=False)


class Renewing(Protocol):
    """Something that has to be made anew before it ends."""

    async def renew_if_due(self) -> bool:
        """Whether it was made anew now. Raises TraderError."""
        ...


class Keeper:
    """Resolves settings, hands what changed to whoever uses it, has our certificate and login renewed."""

    def __init__(
        self,
        secrets: Secrets,
        certificate: Renewing | None = None,
        login: Renewing | None = None,
        *,
        look_every_ms: int = LOOK_EVERY_MS,
    ) -> None:
        self._look_every_ms = min(look_every_ms, LOOK_EVERY_MS)
        self._secrets, self._certificate, self._login = secrets, certificate, login
        self._watched: list[_Watched] = []
        self._given: dict[Text, SecretStr] = {}

    async def value(self, text: Text) -> str:
        """The text itself, or what it refers to. Raises as the Secrets port does."""
        value = self._given[text] = await self._resolved(text)
        return value.get_secret_value()

    async def watch(self, setting: str, text: Text, use: Use) -> None:
        """Call `use` with each value of a reference that is another than `value` gave, while `run` runs."""
        if _refers(text):
            # Read anew, it could be one that nobody has been given.
            value = self._given[text] if text in self._given else await self._resolved(text)
            self._watched.append(_Watched(setting=setting, text=text, use=use, value=value))

    async def run(self, stop: asyncio.Event) -> None:
        """Look at everything now and then, which also renews what is leased."""
        while not stop.is_set():
            await self._renew(self._login, "login.not_renewed")
            await self.renew_certificate()
            for watched in self._watched:
                await self._look(watched)
            await pause(stop, self._look_every_ms)

    async def renew_certificate(self) -> None:
        """If it is due. What cannot be renewed now is logged, and the old one stays in use."""
        await self._renew(self._certificate, "certificate.not_renewed")

    async def _renew(self, renewing: Renewing | None, otherwise: str) -> None:
        if renewing is None:
            return
        try:
            await renewing.renew_if_due()
        except TraderError as error:
            log.warning(otherwise, why=str(error))

    async def _look(self, watched: _Watched) -> None:
        try:
            value = await self._resolved(watched.text)
            if value == watched.value:
                return
            await watched.use(value.get_secret_value())
        except TraderError as error:
            # What was read before stays in use; it may well be good for a long time yet.
            log.warning("secret.not_refreshed", setting=watched.setting, why=str(error))
            return
        watched.value = value
        log.info("secret.changed", setting=watched.setting)

    async def _resolved(self, text: Text) -> SecretStr:
        if isinstance(text, Composed):
            parts = [(await self._resolved(part)).get_secret_value() for part in text.parts]
            return SecretStr(text.compose(tuple(parts)))
        return await self._secrets.current(parse_reference(text)) if is_reference(text) else SecretStr(text)


def _refers(text: Text) -> bool:
    return any(map(is_reference, text.parts)) if isinstance(text, Composed) else is_reference(text)
