"""Policies: Vault's text against the files', to the letter. Deletes none; a stray `airlock-*` is reported."""

import difflib
from collections.abc import Mapping

from signer.adapters.vault.api import VaultApi
from signer.adapters.vault.bootstrap.change import Change, Request

_OURS = "airlock-"
_SHOWN_LINES = 20


async def compare(api: VaultApi, wanted: Mapping[str, str]) -> list[Change]:
    """The policies of the files against those of the server."""
    changes = [each for name, text in wanted.items() for each in await _compare(api, name, text)]
    there = await api.list("sys/policies/acl")
    strays = sorted(name for name in there if name.startswith(_OURS) and name not in wanted)
    remedy = "read it (`vault policy read`), see who has it, then delete it or take it into the folder"
    return [
        *changes,
        *(Change(what=f"policy {name}", details=("is in no file",), remedy=remedy) for name in strays),
    ]


async def _compare(api: VaultApi, name: str, wanted: str) -> list[Change]:
    found = await api.read(f"sys/policies/acl/{name}")
    text = "" if found is None else str(found.get("policy", ""))
    if text.strip() == wanted.strip():
        return []
    details = _edits(text, wanted) if text else ("is missing",)
    request = Request(path=f"sys/policies/acl/{name}", body={"policy": wanted})
    return [Change(what=f"policy {name}", details=details, requests=(request,))]


def _edits(found: str, wanted: str) -> tuple[str, ...]:
    lines = difflib.unified_diff(found.strip().splitlines(), wanted.strip().splitlines(), n=0, lineterm="")
    edits = [line for line in lines if not line.startswith(("---", "+++", "@@"))]
    more = len(edits) - _SHOWN_LINES
    return (*edits[:_SHOWN_LINES], *((f"and {more} more lines",) if more > 0 else ()))
