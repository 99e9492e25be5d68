"""AppRoles: one program, one policy, short lives. Reads no role id and makes no secret id."""

import ipaddress
from collections.abc import Mapping, Sequence

from signer.adapters.vault.api import VaultApi
from signer.adapters.vault.bootstrap.change import Change, Request, differences
from signer.adapters.vault.bootstrap.mounts import LOGIN
from signer.adapters.vault.bootstrap.wanted import AppRole

_OURS = "airlock-"
_NETWORKS = ("token_bound_cidrs", "secret_id_bound_cidrs")


async def compare(api: VaultApi, wanted: Sequence[AppRole]) -> list[Change]:
    """The roles of the files against those of the server."""
    changes = [each for role in wanted for each in await _compare(api, role)]
    names = {role.name for role in wanted}
    there = await api.list(f"auth/{LOGIN}/role")
    strays = sorted(name for name in there if name.startswith(_OURS) and name not in names)
    remedy = "see who logs in with it, then delete it or take it into the folder"
    return [
        *changes,
        *(Change(what=f"AppRole {name}", details=("is in no file",), remedy=remedy) for name in strays),
    ]


async def _compare(api: VaultApi, role: AppRole) -> list[Change]:
    path, wanted = f"auth/{LOGIN}/role/{role.name}", _body(role)
    found = await api.read(path)
    details = ("is missing",) if found is None else differences(wanted, _comparable(found))
    request = Request(path=path, body=wanted)
    return [Change(what=f"AppRole {role.name}", details=details, requests=(request,))] if details else []


def _body(role: AppRole) -> Mapping[str, object]:
    """Every field that makes a login longer, wider or stronger, also those that are off."""
    return {
        "bind_secret_id": True,
        "secret_id_num_uses": role.secret_id_uses,
        "secret_id_ttl": role.secret_id_ttl,
        "secret_id_bound_cidrs": role.bound_cidrs,
        "token_bound_cidrs": role.bound_cidrs,
        "token_policies": [role.policy],
        "token_no_default_policy": True,
        "token_type": "service",
        "token_ttl": role.token_ttl,
        "token_max_ttl": role.token_max_ttl,
        "token_explicit_max_ttl": 0,
        "token_period": 0,
        "token_num_uses": 0,
    }


def _comparable(found: Mapping[str, object]) -> Mapping[str, object]:
    return {**found, **{name: _networks(found.get(name)) for name in _NETWORKS}}


def _networks(found: object) -> list[str]:
    # Vault answers 10.0.0.5 for 10.0.0.5/32, and null for none.
    return [str(ipaddress.ip_network(str(each))) for each in found] if isinstance(found, list) else []
