"""Secrets out of Vault: read once, renewed before they end, at hand while Vault is away. Writes nothing.

A leased secret is renewed at 2/3 of its lease, or read anew when it cannot be renewed; one without a lease is
read anew now and then, so that a rotation takes effect by itself.
"""

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import NoReturn

from pydantic import SecretStr
from typing_extensions import override

from trader.adapters.secrets.vault_client import Answer, Body, TokenRefusedError, VaultClient, VaultPlace
from trader.adapters.secrets.vault_login import VaultLogin
from trader.domain.errors import ConfigurationError, SecretsUnavailableError, TraderError
from trader.domain.secret_refs import VaultReference
from trader.domain.time import MS_PER_S, UnixMs
from trader.ports.clock import Clock

UNLEASED_MS = 60_000
_KV_TWO = "2"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Held:
    """What was read at one path; until `ends_at` it is good without Vault (None: for ever)."""

    answer: Answer = field(repr=False)
    fresh_until: UnixMs
    ends_at: UnixMs | None


class VaultSecrets:
    """One login for every reference. Concurrent callers share one request."""

    def __init__(
        self, place: VaultPlace, login: VaultLogin, clock: Clock, *, read_every_ms: int = UNLEASED_MS
    ) -> None:
        self._place, self._login, self._clock = place, login, clock
        self._read_every_ms = read_every_ms
        self._client: VaultClient | None = None
        self._token_fresh_until: UnixMs | None = None
        self._token_s = 0
        self._held: dict[str, _Held] = {}
        self._one_at_a_time = asyncio.Lock()

    async def current(self, reference: VaultReference) -> SecretStr:
        """See the port. From memory while that is fresh, or while Vault is away and it has not ended."""
        async with self._one_at_a_time:
            held = self._held.get(reference.path)
            if held is None or self._clock.now() >= held.fresh_until:
                held = await self._renewed(reference.path, held)
        value = _fields(held.answer).get(reference.field)
        if not isinstance(value, str) or not value:
            raise ConfigurationError(f"vault:{reference.path} has no field {reference.field!r} with a text")
        return SecretStr(value)

    async def write(self, path: str, body: Body) -> Mapping[str, object]:
        """POST under the same login; the `data` of the answer. Raises as `current` does."""
        async with self._one_at_a_time:
            return (await asyncio.to_thread(self._blocking_write, path, body)).data

    async def renew_if_due(self) -> bool:
        """Keep the login: take a credential that was delivered, renew the token at 2/3; says whether it did.

        A wrapped credential does not wait for long, and what is leased ends with the token that it was
        leased under: neither can wait until a secret is asked for. Raises as `current` does.
        """
        async with self._one_at_a_time:
            before = self._token_fresh_until
            await asyncio.to_thread(self._keep_login)
            return before != self._token_fresh_until

    async def close(self) -> None:
        """Hang up. The token ends with its TTL."""
        if self._client is not None:
            await asyncio.to_thread(self._client.close)

    async def _renewed(self, path: str, held: _Held | None) -> _Held:
        try:
            answer = await asyncio.to_thread(self._blocking, path)
        except SecretsUnavailableError:
            if held is None or (held.ends_at is not None and self._clock.now() >= held.ends_at):
                raise
            return held
        now, lease_ms = self._clock.now(), answer.lease_s * MS_PER_S
        fresh_ms = lease_ms * 2 // 3 if answer.lease_id else self._read_every_ms
        renewed = _Held(
            answer=answer,
            fresh_until=UnixMs(now + fresh_ms),
            ends_at=UnixMs(now + lease_ms) if answer.lease_id else None,
        )
        self._held[path] = renewed
        return renewed

    def _blocking(self, path: str) -> Answer:
        try:
            return self._renew_or_read(self._logged_in(), path)
        except TokenRefusedError:
            self._token_fresh_until = None
            return self._renew_or_read(self._logged_in(), path)

    def _blocking_write(self, path: str, body: Body) -> Answer:
        try:
            return self._logged_in().write(path, body)
        except TokenRefusedError:
            self._token_fresh_until = None
            return self._logged_in().write(path, body)

    def _renew_or_read(self, client: VaultClient, path: str) -> Answer:
        held = self._held.get(path)  # looked at after the login, which ends leases
        if held is not None and held.answer.lease_id and held.answer.renewable:
            try:
                lease = client.write("sys/leases/renew", {"lease_id": held.answer.lease_id})
            except ConfigurationError:
                # At the end of its longest life: a new one is needed.
                return client.read(_api_path(client, path))
            # Near the end of its longest life a renewal gives less than before: then a new one, in time.
            if lease.lease_s * 2 >= held.answer.lease_s:
                return replace(held.answer, lease_s=lease.lease_s, renewable=lease.renewable)
        return client.read(_api_path(client, path))

    def _keep_login(self) -> None:
        if self._client is not None:
            try:
                self._logged_in()
            except TokenRefusedError:
                self._log_in()
        if self._login.has_new_credential():
            self._log_in()

    def _logged_in(self) -> VaultClient:
        client, fresh_until = self._client, self._token_fresh_until
        if client is None or fresh_until is None:
            return self._log_in()
        if self._clock.now() < fresh_until:
            return client
        try:
            renewed_s = client.write("auth/token/renew-self", {}).lease_s
        except ConfigurationError:
            renewed_s = None  # a token that may not, or cannot, be renewed
        if renewed_s is not None and renewed_s * 2 >= self._token_s:
            self._fresh_for(renewed_s)
            return client
        # Near the end of its longest life. A login that waits for a credential leaves the old token in use.
        try:
            return self._log_in()
        except SecretsUnavailableError:
            if renewed_s is not None:
                self._fresh_for(renewed_s)
            return client

    def _log_in(self) -> VaultClient:
        client = VaultClient(self._place, certificate=self._login.certificate())
        try:
            answer = self._login.login(client)
        except TraderError:
            client.close()
            raise
        client.use(answer.token)
        if self._client is not None:
            self._put_away(self._client)
        self._client, self._token_s = client, answer.lease_s
        self._fresh_for(answer.lease_s)
        # What was leased ends with the old token, whatever its own life: it is taken anew under this one.
        self._held = {
            path: _ending(held) if held.answer.lease_id else held for path, held in self._held.items()
        }
        return client

    def _put_away(self, old: VaultClient) -> None:
        """Revoke its token, unless something that is still in use would end with it."""
        if not any(held.answer.lease_id for held in self._held.values()):
            # What cannot be revoked ends with its TTL; very often it has ended already.
            with suppress(TraderError):
                old.write("auth/token/revoke-self", {})
        old.close()

    def _fresh_for(self, ttl_s: int) -> None:
        self._token_fresh_until = UnixMs(self._clock.now() + ttl_s * MS_PER_S * 2 // 3)

    @override
    def __repr__(self) -> str:
        return f"VaultSecrets({self._place.address})"

    @override
    def __reduce__(self) -> NoReturn:
        """Tokens stay in this process."""
        raise TypeError("a Vault login cannot be pickled or copied")


def _ending(held: _Held) -> _Held:
    """Still in use, to be replaced and not renewed at the next look."""
    return replace(held, answer=replace(held.answer, renewable=False), fresh_until=UnixMs(0))


def _api_path(client: VaultClient, path: str) -> str:
    """Path of the API. KV version 2 keeps its values under `data/`; Vault itself says which mount is one."""
    mount = client.read(f"sys/internal/ui/mounts/{path}").data
    options, name = mount.get("options"), mount.get("path")
    if mount.get("type") == "kv" and isinstance(options, dict) and options.get("version") == _KV_TWO:
        return f"{name}data/{path.removeprefix(str(name))}"
    return path


def _fields(answer: Answer) -> Mapping[str, object]:
    inner = answer.data.get("data")
    if isinstance(inner, dict) and "metadata" in answer.data:  # KV version 2
        return inner
    return answer.data
