"""Secrets engines and the AppRole login: missing ones are mounted. Never unmounts, which would delete."""

from collections.abc import Mapping, Sequence

from signer.adapters.vault.api import VaultApi
from signer.adapters.vault.bootstrap.change import Change, Request, differences, table
from signer.adapters.vault.bootstrap.wanted import Mount

LOGIN = "approle"


async def compare(api: VaultApi, wanted: Sequence[Mount]) -> list[Change]:
    """The engines of the files, and the login, against those of the server."""
    engines = table(await api.read("sys/mounts"))
    logins = table(await api.read("sys/auth"))
    changes = [each for mount in wanted for each in _engine(mount, table(engines.get(f"{mount.path}/")))]
    return [*changes, *_login(table(logins.get(f"{LOGIN}/")))]


def _engine(wanted: Mount, found: Mapping[str, object]) -> list[Change]:
    what = f"engine {wanted.path}/"
    options = {} if wanted.version is None else {"version": wanted.version}
    config = {} if wanted.max_lease is None else {"max_lease_ttl": wanted.max_lease}
    if not found:
        body = {"type": wanted.type, "options": options, "config": _as_text(config)}
        return [_repair(what, ("is missing",), f"sys/mounts/{wanted.path}", body)]
    wrong = (
        *differences({"type": wanted.type}, found),
        *differences(options, table(found.get("options"))),
    )
    if wrong:
        remedy = "something else is mounted there: move it (`vault secrets move`), or choose another path"
        return [Change(what=what, details=wrong, remedy=remedy)]
    details = differences(config, table(found.get("config")))
    if not details:
        return []
    return [_repair(what, details, f"sys/mounts/{wanted.path}/tune", _as_text(config))]


def _login(found: Mapping[str, object]) -> list[Change]:
    what = f"login {LOGIN}/"
    if not found:
        return [_repair(what, ("is missing",), f"sys/auth/{LOGIN}", {"type": "approle"})]
    details = differences({"type": "approle"}, found)
    remedy = "another login is mounted there: move it, or disable it"
    return [Change(what=what, details=details, remedy=remedy)] if details else []


def _repair(what: str, details: tuple[str, ...], path: str, body: Mapping[str, object]) -> Change:
    return Change(what=what, details=details, requests=(Request(path=path, body=body),))


def _as_text(config: Mapping[str, int]) -> Mapping[str, str]:
    return {name: f"{seconds}s" for name, seconds in config.items()}
