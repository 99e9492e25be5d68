"""`vault bootstrap` on real servers: what it builds, that it builds it once, and what drift it finds."""

import contextlib
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest
import pytest_asyncio

from signer.adapters.vault.bootstrap.change import Change
from signer.adapters.vault.bootstrap.plan import apply, plan
from signer.adapters.vault.bootstrap.wanted import Wanted, load
from tests.testbed.packages import Json
from tests.testbed.parts import require
from tests.testbed.vault import VaultServer
from tests.testbed.vault_api import PlainVaultApi
from tests.testbed.vault_files import copied
from tests.testbed.vault_ground import PKI, TRANSIT, WRAPPING_KEY

pytestmark = pytest.mark.asyncio(loop_scope="module")

POLICY = "sys/policies/acl/airlock-signer"
ROLE = "auth/approle/role/airlock-signer"


@pytest_asyncio.fixture(scope="module", loop_scope="module", name="vault")
async def _vault() -> AsyncIterator[VaultServer]:
    require("vault")
    async with VaultServer(audited=False) as server:
        yield server


@pytest.fixture(scope="module", name="wanted")
def _wanted(vault: VaultServer, tmp_path_factory: pytest.TempPathFactory) -> Wanted:
    return load(copied(vault, tmp_path_factory.mktemp("files")))


@pytest_asyncio.fixture(scope="module", loop_scope="module", name="built", autouse=True)
async def _built(vault: VaultServer, wanted: Wanted) -> list[Change]:
    api = PlainVaultApi(vault)
    return [change async for change in apply(api, await plan(api, wanted))]


async def _plan(vault: VaultServer, wanted: Wanted, token: str | None = None) -> Sequence[Change]:
    return await plan(PlainVaultApi(vault, token), wanted)


async def test_an_empty_server_is_audited_before_anything_else_is_made(
    vault: VaultServer, built: list[Change]
) -> None:
    recorded = vault.audit_log.read_text(encoding="utf-8")

    assert built[0].what == "audit device file"
    assert "sys/mounts/transit" in recorded
    assert "airlock-pki/root/generate/internal" in recorded


async def test_a_second_run_has_nothing_to_do(vault: VaultServer, wanted: Wanted) -> None:
    assert await _plan(vault, wanted) == ()


async def test_the_auditor_can_check_and_change_nothing(vault: VaultServer, wanted: Wanted) -> None:
    token = await vault.token("airlock-auditor", no_default_policy=True)

    assert await _plan(vault, wanted, token) == ()
    assert (await vault.request("POST", POLICY, {"policy": ""}, token=token)).status == 403


async def test_a_run_that_is_cut_off_after_any_change_is_finished_by_the_next(
    tmp_path: Path, built: list[Change]
) -> None:
    async with VaultServer(audited=False) as empty:
        wanted, api = load(copied(empty, tmp_path)), PlainVaultApi(empty)
        made: list[str] = []
        while planned := await plan(api, wanted):
            async with contextlib.aclosing(apply(api, planned)) as run:
                made.append((await anext(run)).what)

    assert made == [change.what for change in built]


async def test_the_authority_s_key_never_left_vault(vault: VaultServer) -> None:
    (issuer,) = await vault.list(f"{PKI}/issuers")
    (key,) = await vault.list(f"{PKI}/keys")

    assert "private_key" not in await vault.read(f"{PKI}/issuer/{issuer}")
    assert "private_key" not in await vault.read(f"{PKI}/key/{key}")


DRIFTS: list[tuple[str, dict[str, Json], str, str]] = [
    (POLICY, {"policy": 'path "*" { capabilities = ["read"] }'}, "policy airlock-signer", "-path"),
    (ROLE, {"token_ttl": 7200}, "AppRole airlock-signer", "token_ttl is 7200, wanted 3600"),
    (ROLE, {"token_policies": ["root-like", "airlock-signer"]}, "AppRole airlock-signer", "root-like"),
    (ROLE, {"bind_secret_id": False, "token_bound_cidrs": ["10.0.0.1/32"]}, "AppRole airlock-signer", "bind"),
    (ROLE, {"token_period": 60}, "AppRole airlock-signer", "token_period is 60, wanted not set"),
    (
        f"{TRANSIT}/keys/{WRAPPING_KEY}/config",
        {"deletion_allowed": True},
        f"key transit/keys/{WRAPPING_KEY}",
        "deletion_allowed is True, wanted not set",
    ),
    (
        f"{TRANSIT}/keys/airlock-audit/config",
        {"auto_rotate_period": "24h"},
        "key transit/keys/airlock-audit",
        "auto_rotate_period is 86400, wanted not set",
    ),
    (
        f"{PKI}/roles/trader-client",
        {"allow_any_name": True, "enforce_hostnames": False},
        "PKI role trader-client",
        "allow_any_name is True, wanted not set",
    ),
    (
        f"{PKI}/roles/trader-client",
        {"not_after": "9999-12-31T23:59:59Z"},
        "PKI role trader-client",
        "not_after is 9999",
    ),
    (
        f"{PKI}/roles/trader-client",
        {"cn_validations": ["disabled"]},
        "PKI role trader-client",
        "cn_validations is disabled, wanted email, hostname",
    ),
    (
        f"{PKI}/roles/trader-client",
        {"allowed_uri_sans_template": True, "allowed_domains_template": True},
        "PKI role trader-client",
        "allowed_uri_sans_template is True, wanted not set",
    ),
    (
        f"{PKI}/roles/trader-client",
        {"ext_key_usage_oids": ["1.3.6.1.5.5.7.3.1"]},
        "PKI role trader-client",
        "ext_key_usage_oids is 1.3.6.1.5.5.7.3.1",
    ),
    (f"{PKI}/config/crl", {"disable": True}, "revocation list of airlock-pki", "disable is True"),
    (f"sys/mounts/{PKI}/tune", {"max_lease_ttl": "1h"}, "engine airlock-pki/", "max_lease_ttl is 3600"),
]


@pytest.mark.parametrize("drift", DRIFTS)
async def test_drift_is_found_named_and_mended(
    vault: VaultServer, wanted: Wanted, drift: tuple[str, dict[str, Json], str, str]
) -> None:
    path, body, what, detail = drift
    await vault.write(path, body)
    found = await _plan(vault, wanted)

    _mended = [change async for change in apply(PlainVaultApi(vault), found)]

    assert [change.what for change in found] == [what]
    assert detail in "\n".join(found[0].details)
    assert await _plan(vault, wanted) == ()


async def test_a_missing_audit_device_is_found_and_enabled_again(vault: VaultServer, wanted: Wanted) -> None:
    await vault.delete("sys/audit/file")
    found = await _plan(vault, wanted)

    _mended = [change async for change in apply(PlainVaultApi(vault), found)]

    assert [(change.what, change.details) for change in found] == [("audit device file", ("is missing",))]
    assert await _plan(vault, wanted) == ()


UNMENDABLE: list[tuple[str, dict[str, Json], str]] = [
    (f"{TRANSIT}/keys/sol-leaky", {"type": "ed25519", "exportable": True}, "exportable is True"),
    (f"{TRANSIT}/keys/sol-copied", {"type": "ed25519", "allow_plaintext_backup": True}, "backup is True"),
    ("sys/policies/acl/airlock-friend", {"policy": 'path "a" { capabilities = ["read"] }'}, "in no file"),
    ("auth/approle/role/airlock-friend", {"token_policies": ["default"]}, "is in no file"),
    (f"{PKI}/roles/friend", {"allow_any_name": True}, "is in no file"),
]


@pytest.mark.parametrize(("path", "body", "detail"), UNMENDABLE)
async def test_what_only_a_person_can_judge_is_reported_and_left_alone(
    vault: VaultServer, wanted: Wanted, path: str, body: dict[str, Json], detail: str
) -> None:
    await vault.write(path, body)
    (found,) = await _plan(vault, wanted)

    mended = [change async for change in apply(PlainVaultApi(vault), [found])]

    assert detail in "\n".join(found.details)
    assert found.remedy
    assert (mended, len(await _plan(vault, wanted))) == ([], 1)
    await _take_back(vault, path)


async def test_the_plan_of_an_audit_device_that_writes_elsewhere_has_no_request(
    vault: VaultServer, wanted: Wanted
) -> None:
    await vault.delete("sys/audit/file")
    elsewhere: dict[str, Json] = {"file_path": str(vault.folder / "elsewhere.log")}
    await vault.write("sys/audit/file", {"type": "file", "options": elsewhere})
    (found,) = await _plan(vault, wanted)
    await vault.delete("sys/audit/file")
    _mended = [change async for change in apply(PlainVaultApi(vault), await _plan(vault, wanted))]

    assert (found.what, found.requests) == ("audit device file", ())
    assert "file_path is" in found.details[0]


async def test_the_project_s_own_folder_is_well_formed() -> None:
    wanted = load(Path("vault"))

    assert set(wanted.policies) == {
        f"airlock-{role}" for role in ("signer", "trader", "rotator", "operator", "auditor")
    }


async def _take_back(vault: VaultServer, path: str) -> None:
    if path.startswith(f"{TRANSIT}/keys/"):
        await vault.write(f"{path}/config", {"deletion_allowed": True})
    await vault.delete(path)
