"""Audit devices: missing ones are enabled, wrong ones are reported. Never disables one."""

from collections.abc import Mapping, Sequence

from signer.adapters.vault.api import VaultApi
from signer.adapters.vault.bootstrap.change import Change, Request, differences, table
from signer.adapters.vault.bootstrap.wanted import Audit


async def compare(api: VaultApi, wanted: Sequence[Audit]) -> list[Change]:
    """The devices of the files against those of the server."""
    found = table(await api.read("sys/audit"))
    return [change for device in wanted for change in _compare(device, table(found.get(f"{device.path}/")))]


def _compare(wanted: Audit, seen: Mapping[str, object]) -> list[Change]:
    what = f"audit device {wanted.path}"
    if not seen:
        body = {"type": wanted.type, "options": wanted.options}
        request = Request(path=f"sys/audit/{wanted.path}", body=body)
        return [Change(what=what, details=("is missing",), requests=(request,))]
    details = (
        *differences({"type": wanted.type}, seen),
        *differences(wanted.options, table(seen.get("options"))),
    )
    # Vault cannot change a device, only replace it, and between the two steps nothing would be recorded.
    remedy = "enable a second device, disable this one, and let bootstrap enable it anew"
    return [Change(what=what, details=details, remedy=remedy)] if details else []
