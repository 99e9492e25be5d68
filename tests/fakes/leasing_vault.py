"""A Vault that leases database credentials, which the real one of the test bed was built without.

Knows four paths over real TLS: a JWT login, the mount table, `database/creds/trader` and `sys/leases/renew`.
"""

import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from aiohttp import web

from signer.adapters.pki.authority import Authority
from signer.adapters.system_clock import SystemClock
from tests.testbed.processes import free_port


@dataclass
class LeasingVault:
    """`renew_s` is what the next renewal grants; None refuses it, as at the end of a lease's longest life.

    `broken` is how answers break off: "short", "no chunks", "no gzip".
    """

    url: str
    ca: Path
    lease_s: int = 90
    renewable: bool = True
    renew_s: int | None = 90
    renewed_token_s: int = 36_000
    away: bool = False
    broken: str = ""
    made: int = 0
    calls: list[str] = field(default_factory=list)

    async def answer(self, request: web.Request) -> web.StreamResponse:
        path = request.path.removeprefix("/v1/")
        self.calls.append(path)
        if self.broken:
            return await self._broken(request)
        return self._answer(path)

    def _answer(self, path: str) -> web.Response:
        if self.away:
            return web.json_response({"errors": ["Vault is sealed"]}, status=503)
        if path == "auth/token/renew-self":
            return web.json_response({"auth": {"client_token": "t", "lease_duration": self.renewed_token_s}})
        if path == "auth/jwt/login":
            return web.json_response(
                {"auth": {"client_token": "t", "lease_duration": 36_000, "renewable": True}}
            )
        if path.startswith("sys/internal/ui/mounts/"):
            return web.json_response({"data": {"type": "database", "path": "database/", "options": None}})
        if path == "sys/leases/renew":
            return self._renewal()
        self.made += 1
        return web.json_response(
            {
                "lease_id": f"database/creds/trader/{self.made}",
                "lease_duration": self.lease_s,
                "renewable": self.renewable,
                "data": {"username": f"user-{self.made}", "password": f"password-{self.made}"},
            }
        )

    async def _broken(self, request: web.Request) -> web.StreamResponse:
        head = {
            "short": "Content-Length: 100",
            "no chunks": "Transfer-Encoding: chunked",
            "no gzip": "Content-Length: 3\r\nContent-Encoding: gzip",
        }[self.broken]
        assert request.transport is not None
        request.transport.write(f"HTTP/1.1 200 OK\r\n{head}\r\n\r\nzz\n".encode())
        request.transport.close()
        return web.Response()

    def _renewal(self) -> web.Response:
        if self.renew_s is None:
            return web.json_response({"errors": ["lease is not renewable"]}, status=400)
        lease = {"lease_id": f"database/creds/trader/{self.made}", "renewable": True}
        return web.json_response({**lease, "lease_duration": self.renew_s})


@asynccontextmanager
async def leasing_vault(folder: Path) -> AsyncIterator[LeasingVault]:
    authority = Authority(name="leasing Vault", now=SystemClock().now())
    issued = authority.server(uri="spiffe://airlock.local/vault", hosts=["127.0.0.1"])
    for name, content in (
        ("ca.pem", authority.own.certificate),
        ("s.pem", issued.certificate),
        ("s.key", issued.key),
    ):
        (folder / name).write_bytes(content)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(folder / "s.pem", folder / "s.key")
    port = free_port()
    vault = LeasingVault(url=f"https://127.0.0.1:{port}", ca=folder / "ca.pem")
    application = web.Application()
    application.router.add_route("*", "/{path:.*}", vault.answer)
    runner = web.AppRunner(application)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", port, ssl_context=context).start()
        yield vault
    finally:
        await runner.cleanup()
