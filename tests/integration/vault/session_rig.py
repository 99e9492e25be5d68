"""Roles with short tokens on a real Vault, and sessions under them; every test has mounts of its own."""

import asyncio
import base64
import json
import secrets
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from signer.adapters.pki.authority import Authority
from signer.adapters.system_clock import SystemClock
from signer.adapters.vault.connection import Target
from signer.adapters.vault.login.approle import AppRole, AppRoleLogin
from signer.adapters.vault.login.certificate import CertificateLogin, ClientCertificate
from signer.adapters.vault.login.jwt import JwtLogin, TokenFile
from signer.adapters.vault.login.port import Login
from signer.adapters.vault.session import VaultSession, open_session
from tests.fakes.signer_world import ListLog
from tests.testbed.packages import Json
from tests.testbed.vault import VaultServer

SELF = "auth/token/lookup-self"


@dataclass(kw_only=True)
class Ground:
    """One auth mount with one role, and the files of its login. `target` may be a proxy's."""

    vault: VaultServer
    folder: Path
    ttl: str = "60s"
    max_ttl: str = "120s"
    log: ListLog = field(default_factory=ListLog)
    name: str = field(default_factory=lambda: f"login-{secrets.token_hex(4)}")
    target: Target | None = None
    policies: tuple[str, ...] = ()

    async def approle(self) -> Login:
        """A role, and one secret id in the file."""
        await self.vault.write(f"sys/auth/{self.name}", {"type": "approle"})
        role: dict[str, Json] = {"secret_id_num_uses": 1, **self._life()}
        await self.vault.write(f"auth/{self.name}/role/signer", role)
        await self.deliver()
        role_id = str((await self.vault.read(f"auth/{self.name}/role/signer/role-id"))["role_id"])
        options = AppRole(mount=self.name, role_id=role_id, secret_id_file=self.secret_id_file)
        return AppRoleLogin(options, self.log)

    async def deliver(self) -> str:
        """Put a new wrapped secret id into the file; returns the wrapping token."""
        wrapping = await self.vault.wrapped(f"auth/{self.name}/role/signer/secret-id")
        self.secret_id_file.write_text(f"{wrapping}\n")
        return wrapping

    async def certificate(self) -> Login:
        """A role that believes one authority, and a certificate of it in the files."""
        self.authority = Authority(name="Clients of Vault", now=SystemClock().now())
        await self.vault.write(f"sys/auth/{self.name}", {"type": "cert"})
        role: dict[str, Json] = {"certificate": self.authority.own.certificate.decode(), **self._life()}
        await self.vault.write(f"auth/{self.name}/certs/signer", role)
        self.issue(self.authority)
        return CertificateLogin(
            ClientCertificate(
                mount=self.name,
                role="signer",
                certificate=self.folder / "client.pem",
                key=self.folder / "client.key",
            )
        )

    def issue(self, authority: Authority) -> None:
        """Put a new certificate into the files."""
        pair = authority.client("spiffe://airlock.local/signer", common_name="signer")
        (self.folder / "client.key").write_bytes(pair.key)
        (self.folder / "client.pem").write_bytes(pair.certificate)

    async def jwt(self) -> Login:
        """A role that believes one public key, and a token of it in the file."""
        self._key = ec.generate_private_key(ec.SECP256R1())
        public = self._key.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        await self.vault.write(f"sys/auth/{self.name}", {"type": "jwt"})
        await self.vault.write(f"auth/{self.name}/config", {"jwt_validation_pubkeys": [public.decode()]})
        role: dict[str, Json] = {
            "role_type": "jwt",
            "user_claim": "sub",
            "bound_audiences": ["vault"],
            **self._life(),
        }
        await self.vault.write(f"auth/{self.name}/role/signer", role)
        self.sign_token(life_s=600)
        return JwtLogin(TokenFile(mount=self.name, role="signer", token_file=self.token_file))

    def sign_token(self, *, life_s: int) -> None:
        """Put a token into the file; a negative life has ended already."""
        now = SystemClock().now() // 1_000
        claims = {"sub": "signer", "aud": "vault", "iat": now - 1_000, "exp": now + life_s}
        head = f"{_part({'alg': 'ES256', 'typ': 'JWT'})}.{_part(claims)}"
        r, s = decode_dss_signature(self._key.sign(head.encode(), ec.ECDSA(hashes.SHA256())))
        signature = base64.urlsafe_b64encode(r.to_bytes(32, "big") + s.to_bytes(32, "big")).rstrip(b"=")
        self.token_file.write_text(f"{head}.{signature.decode()}\n")

    @property
    def secret_id_file(self) -> Path:
        return self.folder / "secret-id.wrapped"

    @property
    def token_file(self) -> Path:
        return self.folder / "token"

    @asynccontextmanager
    async def session(self, login: Login, *, patience_ms: int = 0) -> AsyncIterator[VaultSession]:
        target = self.target or Target(address=self.vault.url, ca=self.vault.ca, timeout_ms=3_000)
        async with open_session(
            target, login, clock=SystemClock(), log=self.log, chance=Random(1), patience_ms=patience_ms
        ) as session:
            yield session

    def told(self, name: str) -> list[dict[str, object]]:
        """Events of this name."""
        return [fields for event, fields in self.log.events if event == name]

    def _life(self) -> dict[str, Json]:
        policies: list[Json] = [*self.policies]
        return {"token_ttl": self.ttl, "token_max_ttl": self.max_ttl, "token_policies": policies}

    async def may_do_everything(self) -> None:
        """Give the role, made after this, every capability: what it may is not what is tested."""
        rule = 'path "*" { capabilities = ["create", "read", "update", "patch", "delete", "list", "sudo"] }'
        await self.vault.write(f"sys/policies/acl/{self.name}", {"policy": rule})
        self.policies = (self.name,)


async def until(true: Callable[[], bool], what: str) -> None:
    """Wait for something that happens by itself; AssertionError when it does not."""
    for _ in range(400):
        if true():
            return
        await asyncio.sleep(0.05)
    raise AssertionError(f"never: {what}")


def _part(value: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()
