"""VaultApi under a login that takes care of itself. Sends a request twice only when its token had died."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from random import Random
from typing import TypeVar
from urllib.parse import urlsplit

from typing_extensions import override

from signer.adapters.vault.answers import integer, text
from signer.adapters.vault.api import Body, VaultApi, VaultRefusedError, Wrapped
from signer.adapters.vault.connection import Connection, Question, Target
from signer.adapters.vault.errors import no_vault
from signer.adapters.vault.exchange import Exchange, NodeHealth, Reply, read_reply
from signer.adapters.vault.health import VaultHealth
from signer.adapters.vault.keeper import LOOK_EVERY_S, Keeper
from signer.adapters.vault.lease import Lease
from signer.adapters.vault.login.port import Login, LoginFailedError
from signer.adapters.vault.secret_channel import Endpoint, SecretChannels, StatusError
from signer.domain.errors import SignerError, UnavailableError
from signer.domain.reasons import FailReason
from signer.domain.time import MS_PER_S
from signer.ports.clock import Clock
from signer.ports.events import EventLog

Used = TypeVar("Used")
Answer = TypeVar("Answer")

_PATIENCE_MS = 10 * MS_PER_S
_NOT_FOUND = 404
_HTTPS_PORT, _HTTP_PORT = 443, 80


@asynccontextmanager
async def open_session(
    target: Target,
    login: Login,
    *,
    clock: Clock,
    log: EventLog,
    chance: Random,
    patience_ms: int = _PATIENCE_MS,
) -> "AsyncIterator[VaultSession]":
    """A session that is logged in. Its token is revoked at the end.

    Waits up to `patience_ms` for a Vault that does not answer yet. Raises UnavailableError with the reason
    after that, at once when the credential is to blame; ConfigurationError for files that cannot be used.
    """
    connection = Connection(target)
    exchange = Exchange(connection)
    health = VaultHealth(clock, log)
    keeper = Keeper(exchange, login, clock=clock, log=log, health=health, chance=chance)
    session = VaultSession(exchange, keeper, health)
    try:
        await _first_login(keeper, clock, patience_ms)
        keeping = asyncio.create_task(_keep(keeper, log))
        try:
            yield session
        finally:
            keeping.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await keeping
            await keeper.close()
    finally:
        session.close()
        connection.close()


class VaultSession(VaultApi):
    """One Vault under one login. Made by `open_session`."""

    def __init__(self, exchange: Exchange, keeper: Keeper, health: VaultHealth) -> None:
        self._exchange, self._keeper = exchange, keeper
        self.health = health
        self._secrets: SecretChannels | None = None

    @property
    def lease(self) -> Lease | None:
        """Life of the token in use, for schedules and metrics; None when there is none that works."""
        return self._keeper.lease

    async def node_health(self) -> NodeHealth:
        """What the node says of itself; needs no login."""
        return await self._exchange.node_health()

    @override
    async def read(self, path: str) -> Mapping[str, object] | None:
        try:
            return (await self._ask("GET", path)).data
        except VaultRefusedError as refused:
            if refused.status == _NOT_FOUND:
                return None
            raise

    @override
    async def list(self, path: str) -> tuple[str, ...]:
        try:
            keys = (await self._ask("LIST", path)).data.get("keys")
        except VaultRefusedError as refused:
            if refused.status == _NOT_FOUND:
                return ()
            raise
        return tuple(str(key) for key in keys) if isinstance(keys, list) else ()

    @override
    async def write(self, path: str, body: Body) -> Mapping[str, object]:
        return (await self._ask("POST", path, body)).data

    @override
    async def write_wrapped(self, path: str, body: Body, *, ttl_s: int) -> Wrapped:
        info = (await self._ask("POST", path, body, wrap_ttl_s=ttl_s)).wrap_info
        return Wrapped(token=text(info, "token"), ttl_s=integer(info, "ttl"))

    @override
    async def delete(self, path: str) -> None:
        try:
            await self._ask("DELETE", path)
        except VaultRefusedError as refused:
            if refused.status != _NOT_FOUND:
                raise

    @override
    async def write_secret(
        self, path: str, body: Body | memoryview, use: Callable[[memoryview], Used]
    ) -> Used:
        sent = body if isinstance(body, memoryview) else json.dumps(dict(body)).encode()

        async def send(token: str) -> Used:
            headers = {"X-Vault-Token": token, "X-Vault-Request": "true"}
            if namespace := self._exchange.connection.target.namespace:
                headers["X-Vault-Namespace"] = namespace
            try:
                return await self._channels().post(path, headers, sent, use)
            except StatusError as error:
                read_reply(path, error.status, error.body)  # raises what the status means
                raise no_vault(path, f"status {error.status} where an answer belongs") from None

        return await self._with_token(path, send)

    def close(self) -> None:
        """Close the connections for secrets. Nothing may be on its way."""
        if self._secrets is not None:
            self._secrets.close()

    async def _ask(
        self, method: str, path: str, body: Body | None = None, *, wrap_ttl_s: int | None = None
    ) -> Reply:
        def send(token: str) -> Awaitable[Reply]:
            return self._exchange.ask(
                Question(method=method, path=path, token=token, body=body, wrap_ttl_s=wrap_ttl_s)
            )

        return await self._with_token(path, send)

    async def _with_token(self, path: str, send: Callable[[str], Awaitable[Answer]]) -> Answer:
        """Send, and note how it went. A request under a dead token was not executed, so it is sent again."""
        try:
            lease = await self._keeper.current()
            try:
                with self._keeper.using(lease) as token:
                    answer = await send(token)
            except UnavailableError as error:
                if error.reason is not FailReason.VAULT_LOGGED_OUT:
                    raise
                with self._keeper.using(await self._keeper.instead_of(lease)) as token:
                    answer = await send(token)
        except UnavailableError as error:
            self.health.failed(path, error)
            raise
        except SignerError:
            self.health.succeeded(path)  # it answered
            raise
        self.health.succeeded(path)
        return answer

    def _channels(self) -> SecretChannels:
        if self._secrets is None:
            connection = self._exchange.connection
            parts = urlsplit(connection.target.address)
            default = _HTTPS_PORT if parts.scheme == "https" else _HTTP_PORT
            self._secrets = SecretChannels(
                Endpoint(
                    host=parts.hostname or "",
                    port=parts.port or default,
                    tls=lambda: connection.tls,
                    timeout_ms=connection.target.timeout_ms,
                )
            )
        return self._secrets


async def _first_login(keeper: Keeper, clock: Clock, patience_ms: int) -> None:
    started = clock.now()
    while True:
        try:
            await keeper.log_in()
        except LoginFailedError:
            raise
        except UnavailableError:
            if not 0 <= clock.now() - started < patience_ms:
                raise
            await asyncio.sleep(LOOK_EVERY_S)
        else:
            return


async def _keep(keeper: Keeper, log: EventLog) -> None:
    while True:
        try:
            await keeper.run()
        except Exception as bug:  # noqa: BLE001 - supervision boundary: keeping restarts, requests go on
            log.event("vault.keeping_broken", bug=type(bug).__name__)
            await asyncio.sleep(LOOK_EVERY_S)
