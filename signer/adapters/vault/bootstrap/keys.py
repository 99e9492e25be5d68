"""Transit keys: missing ones are made, and every key of the mount must be one that cannot leave Vault."""

from collections.abc import Mapping, Sequence

from signer.adapters.vault.api import VaultApi
from signer.adapters.vault.bootstrap.change import Change, Request, differences
from signer.adapters.vault.bootstrap.wanted import Key

_STAYS_INSIDE = {"exportable": False, "allow_plaintext_backup": False, "deletion_allowed": False}
# A rotation is somebody's decision: of ed25519 it would change the public key.
_PLAIN = {"auto_rotate_period": 0}
_CANNOT_BE_TAKEN_BACK = (
    "Vault never takes this back, and the key may have been copied: make a new one, rotate the accounts that "
    "it holds, and delete it (runbook rotate-account)"
)


async def compare(api: VaultApi, wanted: Sequence[Key]) -> list[Change]:
    """The keys of the files against those of the server, and every other key of the same mounts."""
    by_path = {f"{key.mount}/keys/{key.name}": key for key in wanted}
    mounts = dict.fromkeys(key.mount for key in wanted)
    others = [f"{mount}/keys/{name}" for mount in mounts for name in await api.list(f"{mount}/keys")]
    changes = []
    for path in dict.fromkeys((*by_path, *sorted(others))):
        changes += _compare(path, by_path.get(path), await api.read(path))
    return changes


def _compare(path: str, wanted: Key | None, found: Mapping[str, object] | None) -> list[Change]:
    what = f"key {path}"
    if found is None:
        body = {} if wanted is None else {"type": wanted.type, "derived": wanted.derived}
        request = Request(path=path, body=body)
        return [] if wanted is None else [Change(what=what, details=("is missing",), requests=(request,))]
    other = () if wanted is None else differences(_shape(wanted) | _PLAIN, found)
    leaks = differences(_STAYS_INSIDE, found)
    if found.get("exportable") or found.get("allow_plaintext_backup"):
        return [Change(what=what, details=(*other, *leaks), remedy=_CANNOT_BE_TAKEN_BACK)]
    if wanted is not None and differences(_shape(wanted), found):
        remedy = "rename the key in the files, or make room for it"
        return [Change(what=what, details=(*other, *leaks), remedy=remedy)]
    if not other and not leaks:
        return []
    repair = Request(path=f"{path}/config", body={"deletion_allowed": False, "auto_rotate_period": 0})
    return [Change(what=what, details=(*other, *leaks), requests=(repair,))]


def _shape(key: Key) -> dict[str, object]:
    """What is chosen once, when a key is made."""
    return {"type": key.type, "derived": key.derived}
