"""The trader's references on a real Vault: read, renewed, at hand while it is away, refused by name."""

import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import pytest_asyncio

from signer.adapters.pki.authority import Authority
from signer.adapters.system_clock import SystemClock
from tests.fakes.trader_clock import TraderClock
from tests.testbed.packages import Json
from tests.testbed.vault import VaultServer
from tests.testbed.vault_ground import TRADER_KV
from trader.adapters.secrets.resolver import Resolver
from trader.adapters.secrets.vault import VaultSecrets
from trader.adapters.secrets.vault_client import Answer, Body, VaultClient, VaultPlace
from trader.adapters.secrets.vault_login import AppRoleLogin, CertificateLogin, VaultLogin
from trader.domain.errors import ConfigurationError, SecretsUnavailableError
from trader.domain.secret_refs import VaultReference

_RULES = """
path "{kv}/data/{name}/*" {{ capabilities = ["read"] }}
path "auth/token/renew-self" {{ capabilities = ["update"] }}
path "auth/token/revoke-self" {{ capabilities = ["update"] }}
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    """One role with its own policy, and where its wrapped secret id is put."""

    vault: VaultServer
    name: str
    role_id: str
    secret_id_file: Path
    clock: TraderClock

    def reference(self, secret: str, field: str) -> VaultReference:
        return VaultReference(path=f"{TRADER_KV}/{self.name}/{secret}", field=field)

    async def store(self, secret: str, **fields: str) -> None:
        await self.vault.write(f"{TRADER_KV}/data/{self.name}/{secret}", {"data": dict(fields)})

    async def deliver_secret_id(self) -> str:
        token = await self.vault.wrapped(f"auth/{self.name}/role/trader/secret-id")
        self.secret_id_file.write_text(token, encoding="utf-8")
        return token

    def secrets(self, login: VaultLogin | None = None) -> VaultSecrets:
        approle = AppRoleLogin(mount=self.name, role_id=self.role_id, secret_id_file=self.secret_id_file)
        place = VaultPlace(address=self.vault.url, ca_file=self.vault.ca, namespace=None, timeout_ms=2_000)
        return VaultSecrets(place, login or approle, self.clock)


@pytest_asyncio.fixture
async def ground(airlock_vault: VaultServer, tmp_path: Path) -> Ground:
    return await _ground(airlock_vault, tmp_path)


async def _ground(vault: VaultServer, folder: Path) -> Ground:
    name = f"trader-{uuid.uuid4().hex[:8]}"
    await vault.write(f"sys/policies/acl/{name}", {"policy": _RULES.format(kv=TRADER_KV, name=name)})
    await vault.write(f"sys/auth/{name}", {"type": "approle"})
    role: dict[str, Json] = {
        "token_policies": [name],
        "token_ttl": "60s",
        "token_max_ttl": "120s",
        "secret_id_num_uses": 1,
    }
    await vault.write(f"auth/{name}/role/trader", role)
    made = Ground(
        vault=vault,
        name=name,
        role_id=str((await vault.read(f"auth/{name}/role/trader/role-id"))["role_id"]),
        secret_id_file=folder / "secret-id.wrapped",
        clock=TraderClock.running(),
    )
    await made.deliver_secret_id()
    return made


@pytest_asyncio.fixture
async def resolver(ground: Ground) -> AsyncIterator[Resolver]:
    async with Resolver(ground.secrets()) as opened:
        yield opened


async def test_a_field_is_read_and_its_change_seen_a_minute_later(ground: Ground, resolver: Resolver) -> None:
    await ground.store("postgres", dsn="postgresql://u:first@h/d")
    first = await resolver.current(ground.reference("postgres", "dsn"))
    await ground.store("postgres", dsn="postgresql://u:second@h/d")
    at_once = await resolver.current(ground.reference("postgres", "dsn"))
    ground.clock.advance_ms(61_000)
    later = await resolver.current(ground.reference("postgres", "dsn"))

    seen = [secret.get_secret_value()[15:-4] for secret in (first, at_once, later)]
    assert seen == ["first", "first", "second"]
    assert "first" not in repr(first)
    assert not ground.secret_id_file.exists()


async def test_what_is_not_there_or_not_allowed_is_named(ground: Ground, resolver: Resolver) -> None:
    await ground.store("postgres", dsn="postgresql://u:hunter2@h/d")

    for reference, why in (
        (ground.reference("postgres", "password"), "has no field 'password'"),
        (ground.reference("nothing", "dsn"), "has nothing at"),
        (VaultReference(path=f"{TRADER_KV}/another/postgres", field="dsn"), "policy has to allow it"),
    ):
        with pytest.raises(ConfigurationError, match=why) as caught:
            await resolver.current(reference)
        assert "hunter2" not in str(caught.value)


async def test_a_token_is_renewed_at_two_thirds_and_one_that_was_revoked_ends_in_a_new_login(
    ground: Ground, resolver: Resolver
) -> None:
    await ground.store("postgres", dsn="first")
    await resolver.current(ground.reference("postgres", "dsn"))
    ground.clock.advance_ms(61_000)
    await resolver.current(ground.reference("postgres", "dsn"))
    for accessor in await _accessors(ground):
        await ground.vault.write("auth/token/revoke-accessor", {"accessor": accessor})
    await ground.store("postgres", dsn="second")
    ground.clock.advance_ms(61_000)
    without_credential = await resolver.current(ground.reference("postgres", "dsn"))
    await ground.deliver_secret_id()
    with_credential = await resolver.current(ground.reference("postgres", "dsn"))

    assert without_credential.get_secret_value() == "first"  # still good: it is no lease
    assert with_credential.get_secret_value() == "second"


async def test_a_delivered_secret_id_is_taken_while_the_token_is_young(ground: Ground) -> None:
    await ground.store("postgres", dsn="first")
    secrets = ground.secrets()
    async with Resolver(secrets) as resolver:
        await resolver.current(ground.reference("postgres", "dsn"))
        nothing_to_do = await secrets.renew_if_due()
        await ground.deliver_secret_id()
        taken = await secrets.renew_if_due()
        tokens = await _accessors(ground)
        ground.clock.advance_ms(61_000)
        after = await resolver.current(ground.reference("postgres", "dsn"))

    assert (nothing_to_do, taken, len(tokens)) == (False, True, 1)
    assert not ground.secret_id_file.exists()
    assert after.get_secret_value() == "first"


async def test_a_secret_id_outlives_a_login_that_got_no_answer(
    ground: Ground, monkeypatch: pytest.MonkeyPatch
) -> None:
    await ground.store("postgres", dsn="first")
    write, lost = VaultClient.write, [1]

    def loses_one(client: VaultClient, path: str, body: Body) -> Answer:
        if path.endswith("/login") and lost:
            lost.pop()
            raise SecretsUnavailableError("the network is away")
        return write(client, path, body)

    monkeypatch.setattr(VaultClient, "write", loses_one)
    async with Resolver(ground.secrets()) as resolver:
        with pytest.raises(SecretsUnavailableError):
            await resolver.current(ground.reference("postgres", "dsn"))
        found = await resolver.current(ground.reference("postgres", "dsn"))

    assert found.get_secret_value() == "first"


async def test_a_secret_id_that_somebody_else_read_is_an_alarm(ground: Ground, resolver: Resolver) -> None:
    wrapping = await ground.deliver_secret_id()
    stolen = await ground.vault.request("POST", "sys/wrapping/unwrap", token=wrapping)

    assert stolen.status == 200
    with pytest.raises(ConfigurationError, match="somebody else may have read it"):
        await resolver.current(ground.reference("postgres", "dsn"))


async def test_a_certificate_logs_in(ground: Ground, tmp_path: Path) -> None:
    authority = Authority(name="trader CA", now=SystemClock().now())
    issued = authority.client("spiffe://airlock.local/trader", common_name="trader")
    (tmp_path / "trader.pem").write_bytes(issued.certificate)
    (tmp_path / "trader.key").write_bytes(issued.key)
    await ground.vault.write(f"sys/auth/cert-{ground.name}", {"type": "cert"})
    await ground.vault.write(
        f"auth/cert-{ground.name}/certs/trader",
        {"certificate": authority.own.certificate.decode(), "token_policies": [ground.name]},
    )
    await ground.store("postgres", dsn="by certificate")
    login = CertificateLogin(
        mount=f"cert-{ground.name}",
        role="trader",
        cert_file=tmp_path / "trader.pem",
        key_file=tmp_path / "trader.key",
    )
    async with Resolver(ground.secrets(login)) as resolver:
        found = await resolver.current(ground.reference("postgres", "dsn"))

    assert found.get_secret_value() == "by certificate"


async def test_while_vault_is_away_what_was_read_stays_good(
    own_vault_server: VaultServer, tmp_path: Path
) -> None:
    await own_vault_server.write(f"sys/mounts/{TRADER_KV}", {"type": "kv", "options": {"version": "2"}})
    ground = await _ground(own_vault_server, tmp_path)
    await ground.store("postgres", dsn="first")
    async with Resolver(ground.secrets()) as resolver:
        await resolver.current(ground.reference("postgres", "dsn"))
        await own_vault_server.seal()
        ground.clock.advance_ms(30_000_000)
        while_sealed = await resolver.current(ground.reference("postgres", "dsn"))
        with pytest.raises(SecretsUnavailableError, match="sealed"):
            await resolver.current(ground.reference("other", "dsn"))

    assert while_sealed.get_secret_value() == "first"


async def _accessors(ground: Ground) -> list[str]:
    """Of the tokens with which the ground's role is logged in."""
    found = []
    for accessor in await ground.vault.list("auth/token/accessors"):
        reply = await ground.vault.request("POST", "auth/token/lookup-accessor", {"accessor": accessor})
        if reply.data.get("policies") == ["default", ground.name]:
            found.append(str(accessor))
    return found
