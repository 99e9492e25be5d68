"""The runbooks of `vault/`, followed command by command on a real server that nobody has set up."""

import contextlib
import stat
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import pytest_asyncio

from signer.adapters.vault.envelopes import open_store
from signer.adapters.vault.new_account import NewAccounts
from signer.adapters.vault.transit import Transit
from signer.domain.accounts import ChainName
from tests.e2e.runbooks import Desk, unmarked_commands
from tests.testbed.packages import Json
from tests.testbed.parts import require
from tests.testbed.vault import VaultServer
from tests.testbed.vault_api import PlainVaultApi
from tests.testbed.vault_files import FOLDER, copied
from tests.testbed.vault_ground import lay_ground, login, role_id, wrapped_secret_id

PAGES = sorted((FOLDER / "runbooks").glob("*.md"))


PEOPLE = {"ann": "operator", "rob": "rotator", "amy": "auditor"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A server, a desk, and what a runbook leaves to the place: hosts, files of people."""

    vault: VaultServer
    desk: Desk
    variables: dict[str, str]

    async def follow(self, name: str, **more: str) -> str:
        """Every command of the page; what it printed."""
        followed = await self.desk.follow(name, {**self.variables, **more})
        assert followed.code == 0, followed.output
        return followed.output


@pytest_asyncio.fixture(name="empty")
async def _empty(tmp_path: Path) -> AsyncIterator[Place]:
    require("vault")
    async with VaultServer(initialised=False) as vault:
        yield _place(vault, tmp_path)


@pytest_asyncio.fixture(scope="module", loop_scope="module", name="place")
async def _set_up(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Place]:
    require("vault")
    async with VaultServer(shares=3, threshold=2) as vault:
        await lay_ground(vault)
        await vault.write("sys/auth/userpass", {"type": "userpass"})
        place = _place(vault, tmp_path_factory.mktemp("desk"))
        for person, role in PEOPLE.items():
            password = f"{person} of the tests"
            place.variables[f"{role.upper()}_PASSWORD_FILE"] = _file(place, person, password)
            body: dict[str, Json] = {"password": password, "token_policies": [f"airlock-{role}"]}
            await vault.write(f"auth/userpass/users/{person}", {**body, "token_no_default_policy": True})
        for number, share in enumerate(vault.unseal_keys[:2], 1):
            place.variables[f"SHARE_{number}"] = _file(place, f"share-{number}", share)
        place.variables["AUDIT_LOG"] = str(vault.audit_log)
        settings = f'[vault]\naddress = "{vault.url}"\nca = "{vault.ca}"\n'
        (place.desk.folder / "operator.toml").write_text(settings, encoding="utf-8")
        yield place


async def test_first_setup_ends_with_a_signer_that_can_log_in_and_no_root(empty: Place) -> None:
    output = await empty.follow("first-setup")

    work = empty.desk.folder
    role, wrapping = (
        (work / name).read_text(encoding="utf-8").strip() for name in ("role-id", "secret-id.wrapped")
    )
    token = await _log_in(empty.vault, role, wrapping)
    seen = await empty.vault.read("auth/token/lookup-self", token=token)
    assert seen["policies"] == ["airlock-signer"]
    assert "hvs." not in output
    assert 'backend = "vault"' in output
    assert 'vault = { key = "sol-hot", key_version = 1 }' in output
    assert not empty.desk.token_file.exists()


@pytest.mark.asyncio(loop_scope="module")
async def test_the_check_finds_nothing_on_a_server_that_was_set_up(place: Place) -> None:
    assert "0 changes: Vault is what the files say" in await place.follow("check")


@pytest.mark.asyncio(loop_scope="module")
async def test_the_check_finds_an_edited_policy_and_breaking_the_glass_mends_it(place: Place) -> None:
    await place.vault.write("sys/policies/acl/airlock-trader", {"policy": "# nothing"})
    checked = await place.desk.follow("check", place.variables)
    place.desk.token_file.unlink()

    output = await place.follow("break-glass")

    assert (checked.code, "~ policy airlock-trader" in checked.output) == (1, True)
    assert "1 changed, 0 left" in output
    assert "0 changes" in await place.follow("check")
    assert not place.desk.token_file.exists()


@pytest.mark.asyncio(loop_scope="module")
async def test_a_sealed_vault_is_opened_by_two_people(place: Place) -> None:
    await place.vault.seal()

    await place.follow("sealed-vault")

    assert (await place.vault.request("GET", "sys/health")).status == 200


@pytest.mark.asyncio(loop_scope="module")
async def test_new_credentials_are_wrapped_and_good_for_one_login(place: Place) -> None:
    await place.follow("rotate-credentials")

    for program in ("signer", "trader"):
        file = place.desk.folder / f"{program}-secret-id.wrapped"
        wrapping = file.read_text(encoding="utf-8").strip()
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        assert await _log_in(place.vault, await role_id(place.vault, f"airlock-{program}"), wrapping)


@pytest.mark.asyncio(loop_scope="module")
async def test_the_wrapping_key_is_rotated_and_its_old_version_shut_out(place: Place) -> None:
    with contextlib.closing(PlainVaultApi(place.vault)) as api:
        accounts = NewAccounts(
            transit=Transit(api, "transit"),
            envelopes=open_store("kv", api, kv_mount="airlock"),
            wrapping_key="airlock-envelopes",
        )
        await accounts.create(ChainName("eip155:31337"))
    before = await place.vault.read("transit/keys/airlock-envelopes")

    output = await place.follow("rotate-wrapping-key")

    after = await place.vault.read("transit/keys/airlock-envelopes")
    assert int(str(after["latest_version"])) == int(str(before["latest_version"])) + 1
    assert after["min_decryption_version"] == after["latest_version"]
    assert "half done" not in output


@pytest.mark.asyncio(loop_scope="module")
async def test_a_lost_token_ends_with_every_other_login_and_secret_id_of_its_role(place: Place) -> None:
    lost = [await login(place.vault, "airlock-signer") for _ in range(2)]
    trader = await login(place.vault, "airlock-trader")
    unused = await wrapped_secret_id(place.vault)

    output = await place.follow("lost-token")

    secret = await place.vault.request("POST", "sys/wrapping/unwrap", token=unused)
    body = {"role_id": await role_id(place.vault), "secret_id": secret.data["secret_id"]}
    assert "127.0.0.1" in output
    for token in lost:
        assert (await place.vault.request("GET", "auth/token/lookup-self", token=token)).status == 403
    assert (await place.vault.request("POST", "auth/approle/login", body, token="")).status == 400
    assert (await place.vault.request("GET", "auth/token/lookup-self", token=trader)).status == 200


@pytest.mark.asyncio(loop_scope="module")
async def test_an_admin_s_certificate_is_signed_and_revoked(place: Place) -> None:
    output = await place.follow("rotate-certificates")

    assert "admin.pem: OK" in output
    assert "Serial Number" in output


@pytest.mark.asyncio(loop_scope="module")
async def test_a_snapshot_is_restored_on_another_server(place: Place) -> None:
    await place.vault.write("airlock/data/accounts/kept", {"data": {"account": "kept"}})
    backup = _file(place, "backup-token", place.vault.root_token)
    async with VaultServer(initialised=False) as second:
        await place.follow(
            "restore", BACKUP_TOKEN_FILE=backup, NEW_VAULT_ADDR=second.url, NEW_VAULT_CACERT=str(second.ca)
        )

        kept = await second.request("GET", "airlock/data/accounts/kept", token=place.vault.root_token)
        assert kept.data["data"] == {"account": "kept"}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_every_command_of_a_runbook_is_followed(page: Path) -> None:
    assert unmarked_commands(page) == []


def _place(vault: VaultServer, folder: Path) -> Place:
    desk = Desk(folder)
    copied(vault, desk.folder)
    return Place(vault=vault, desk=desk, variables={"VAULT_ADDR": vault.url, "VAULT_CACERT": str(vault.ca)})


def _file(place: Place, name: str, content: str) -> str:
    path = place.desk.folder / name
    path.write_text(content, encoding="utf-8")
    path.chmod(0o600)
    return str(path)


async def _log_in(vault: VaultServer, role: str, wrapping: str) -> str:
    secret = await vault.request("POST", "sys/wrapping/unwrap", token=wrapping)
    body: dict[str, Json] = {"role_id": role, "secret_id": secret.data["secret_id"]}
    auth = (await vault.request("POST", "auth/approle/login", body, token="")).body["auth"]
    assert isinstance(auth, dict)
    return str(auth["client_token"])
