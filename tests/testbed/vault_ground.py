"""Airlock's ground on a Vault of the bed, laid as an operator lays it: by `bootstrap` from `vault/`."""

import tempfile
from pathlib import Path

from signer.adapters.vault.bootstrap.plan import apply, plan
from signer.adapters.vault.bootstrap.wanted import load
from tests.testbed.vault import VaultServer
from tests.testbed.vault_api import PlainVaultApi
from tests.testbed.vault_files import copied

TRANSIT, KV, TRADER_KV, PKI, APPROLE = "transit", "airlock", "airlock-trader", "airlock-pki", "approle"
WRAPPING_KEY, CHECKPOINT_KEY = "airlock-envelopes", "airlock-audit"


async def lay_ground(vault: VaultServer) -> None:
    """Mounts, keys, policies, AppRoles and PKI; no account's key and no secret id."""
    with tempfile.TemporaryDirectory(prefix="airlock-vault-files-") as folder:
        wanted = load(copied(vault, Path(folder)))
    api = PlainVaultApi(vault)
    async for _change in apply(api, await plan(api, wanted)):
        pass


async def role_id(vault: VaultServer, role: str = "airlock-signer") -> str:
    """The role id that goes into `[vault.login]`."""
    return str((await vault.read(f"auth/{APPROLE}/role/{role}/role-id"))["role_id"])


async def wrapped_secret_id(vault: VaultServer, role: str = "airlock-signer", *, ttl_s: int = 300) -> str:
    """The wrapping token that goes into `secret_id_file`."""
    return await vault.wrapped(f"auth/{APPROLE}/role/{role}/secret-id", ttl_s=ttl_s)


async def login(vault: VaultServer, role: str) -> str:
    """A token of an AppRole, with the role's own policies and limits."""
    secret = await vault.write(f"auth/{APPROLE}/role/{role}/secret-id")
    body = {"role_id": await role_id(vault, role), "secret_id": secret["secret_id"]}
    reply = await vault.request("POST", f"auth/{APPROLE}/login", body, token="")
    auth = reply.body["auth"]
    assert isinstance(auth, dict)
    return str(auth["client_token"])
