"""The certificate authority: its key is made inside Vault, each role is one identity. Never replaces it."""

from collections.abc import Mapping

from signer.adapters.vault.api import VaultApi
from signer.adapters.vault.bootstrap.change import Change, Request, differences
from signer.adapters.vault.bootstrap.wanted import Pki, PkiRole


async def compare(api: VaultApi, wanted: Pki) -> list[Change]:
    """Root, revocation list and roles of the files against those of the server."""
    changes = [*await _root(api, wanted), *await _revocation_list(api, wanted)]
    for role in wanted.roles:
        changes += await _role(api, wanted.mount, role)
    names = {role.name for role in wanted.roles}
    strays = sorted(name for name in await api.list(f"{wanted.mount}/roles") if name not in names)
    remedy = "it can issue certificates that the signer trusts: delete it or take it into the folder"
    return [
        *changes,
        *(Change(what=f"PKI role {name}", details=("is in no file",), remedy=remedy) for name in strays),
    ]


async def _root(api: VaultApi, wanted: Pki) -> list[Change]:
    if await api.list(f"{wanted.mount}/issuers"):
        return []
    body = {
        "common_name": wanted.common_name,
        "issuer_name": "airlock",
        "key_type": "ec",
        "key_bits": 256,
        "max_path_length": 0,
        "ttl": f"{wanted.ttl}s",
    }
    # "internal": the answer has no key, and no other path of Vault gives it out.
    request = Request(path=f"{wanted.mount}/root/generate/internal", body=body)
    return [Change(what=f"authority {wanted.mount}", details=("is missing",), requests=(request,))]


async def _revocation_list(api: VaultApi, wanted: Pki) -> list[Change]:
    path = f"{wanted.mount}/config/crl"
    # Without auto_rebuild the list is made anew at each revocation, not some time later.
    body = {"expiry": f"{wanted.crl_expiry}s", "disable": False, "auto_rebuild": False}
    found = await api.read(path)
    details = ("is missing",) if found is None else differences(body, found)
    request = Request(path=path, body=body)
    what = f"revocation list of {wanted.mount}"
    return [Change(what=what, details=details, requests=(request,))] if details else []


async def _role(api: VaultApi, mount: str, role: PkiRole) -> list[Change]:
    path, wanted = f"{mount}/roles/{role.name}", _body(role)
    found = await api.read(path)
    details = ("is missing",) if found is None else differences(wanted, found)
    request = Request(path=path, body=wanted)
    return [Change(what=f"PKI role {role.name}", details=details, requests=(request,))] if details else []


def _body(role: PkiRole) -> Mapping[str, object]:
    """Every field that widens a certificate, also those that are off."""
    is_server = role.usage == "server"
    return {
        "issuer_ref": "default",
        "allowed_uri_sans": [role.uri],
        "allowed_uri_sans_template": False,
        "allowed_domains": role.domains,
        "allowed_domains_template": False,
        "allow_bare_domains": bool(role.domains),
        "allow_subdomains": False,
        "allow_glob_domains": False,
        "allow_wildcard_certificates": False,
        "allow_any_name": False,
        "allow_localhost": False,
        "allow_ip_sans": role.ip_addresses,
        "allowed_other_sans": [],
        "allowed_user_ids": [],
        "cn_validations": ["email", "hostname"],
        "enforce_hostnames": True,
        "require_cn": False,
        "server_flag": is_server,
        "client_flag": not is_server,
        "code_signing_flag": False,
        "email_protection_flag": False,
        "ext_key_usage": [],
        "ext_key_usage_oids": [],
        "key_usage": ["DigitalSignature"],
        "key_type": "ec",
        "key_bits": 256,
        "no_store": False,  # what is not stored cannot be revoked
        "ttl": role.ttl,
        "max_ttl": role.max_ttl,
        "not_after": "",  # would count instead of both
    }
