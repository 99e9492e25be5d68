"""Requests to the bed's Vault by a test, as root or under any token; retries nothing and hides no answer."""

import json
import ssl
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import hvac
import requests

from tests.testbed.packages import Json

_TIMEOUT = aiohttp.ClientTimeout(total=30)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What Vault answered, also when it said no; `body` is empty for 204."""

    status: int
    body: dict[str, Json]

    @property
    def data(self) -> dict[str, Json]:
        data = self.body.get("data")
        return data if isinstance(data, dict) else {}

    @property
    def errors(self) -> list[Json]:
        errors = self.body.get("errors")
        return errors if isinstance(errors, list) else []


class VaultRequests:
    """Where a Vault is, and what can be asked of it. Paths are without `v1/`."""

    def __init__(self) -> None:
        self.root_token = ""
        self.url = ""
        self.folder = Path()

    @property
    def ca(self) -> Path:
        """PEM of the authority that signed the listener's certificate."""
        return self.folder / "ca.pem"

    async def request(
        self,
        method: str,
        path: str,
        body: dict[str, Json] | None = None,
        *,
        token: str | None = None,
        wrap_ttl_s: int | None = None,
    ) -> Reply:
        """One request, whatever the answer; as root unless `token` says otherwise ("" sends none)."""
        headers = {"X-Vault-Request": "true"}
        used = self.root_token if token is None else token
        headers |= {"X-Vault-Token": used} if used else {}
        headers |= {} if wrap_ttl_s is None else {"X-Vault-Wrap-TTL": str(wrap_ttl_s)}
        url = f"{self.url}/v1/{path}"
        context = ssl.create_default_context(cafile=self.ca)
        async with (
            aiohttp.ClientSession(timeout=_TIMEOUT) as session,
            session.request(method, url, json=body, headers=headers, ssl=context) as response,
        ):
            text = await response.text()
            return Reply(status=response.status, body=json.loads(text) if text.strip() else {})

    async def read(self, path: str, *, token: str | None = None) -> dict[str, Json]:
        """GET; the `data` of the answer. AssertionError when Vault says no."""
        return (await self.expect("GET", path, token=token)).data

    async def list(self, path: str, *, token: str | None = None) -> list[Json]:
        """LIST; the `keys` of the answer, none when there is nothing."""
        reply = await self.request("LIST", path, token=token)
        keys = reply.data.get("keys")
        return keys if isinstance(keys, list) else []

    async def write(
        self, path: str, body: dict[str, Json] | None = None, *, token: str | None = None
    ) -> dict[str, Json]:
        """POST; the `data` of the answer. AssertionError when Vault says no."""
        return (await self.expect("POST", path, body or {}, token=token)).data

    async def delete(self, path: str, *, token: str | None = None) -> None:
        """DELETE. AssertionError when Vault says no."""
        await self.expect("DELETE", path, token=token)

    async def token(self, *policies: str, ttl: str = "1h", **options: Json) -> str:
        """A new token with these policies; `options` as for auth/token/create, such as `num_uses=1`."""
        body: dict[str, Json] = {"policies": list(policies), "ttl": ttl, "no_parent": True, **options}
        auth = (await self.expect("POST", "auth/token/create", body)).body["auth"]
        assert isinstance(auth, dict)
        return str(auth["client_token"])

    async def wrapped(self, path: str, body: dict[str, Json] | None = None, *, ttl_s: int = 300) -> str:
        """POST as root; the wrapping token under which the answer waits."""
        reply = await self.request("POST", path, body or {}, wrap_ttl_s=ttl_s)
        info = reply.body.get("wrap_info")
        assert isinstance(info, dict), f"not wrapped: {reply.status} {reply.errors}"
        return str(info["token"])

    def client(self, token: str | None = None) -> hvac.Client:
        """A plain hvac client, for comparisons; synchronous, and never through a proxy of the machine."""
        session = requests.Session()
        session.trust_env = False
        session.verify = str(self.ca)  # hvac's own `verify` is not looked at beside a session
        return hvac.Client(url=self.url, token=self.root_token if token is None else token, session=session)

    async def expect(
        self, method: str, path: str, body: dict[str, Json] | None = None, *, token: str | None = None
    ) -> Reply:
        """The answer. AssertionError when Vault says no."""
        reply = await self.request(method, path, body, token=token)
        assert reply.status in {200, 204}, f"{method} {path}: {reply.status} {reply.errors}"
        return reply
