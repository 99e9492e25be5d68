"""The plan from what a Vault holds to what it should hold, and the way there. Idempotent; deletes nothing."""

from collections.abc import AsyncGenerator, Sequence

from signer.adapters.vault.api import VaultApi
from signer.adapters.vault.bootstrap import approles, audit_devices, authority, keys, mounts, policies
from signer.adapters.vault.bootstrap.change import Change
from signer.adapters.vault.bootstrap.wanted import Wanted


async def plan(api: VaultApi, wanted: Wanted) -> tuple[Change, ...]:
    """Everything that differs, in the order in which it is applied; nothing was changed.

    Audit comes first, so that all else is recorded.
    """
    layout = wanted.layout
    return (
        *await audit_devices.compare(api, layout.audit),
        *await mounts.compare(api, layout.mounts),
        *await policies.compare(api, wanted.policies),
        *await keys.compare(api, layout.keys),
        *await authority.compare(api, layout.pki),
        *await approles.compare(api, layout.approles),
    )


async def apply(api: VaultApi, changes: Sequence[Change]) -> AsyncGenerator[Change, None]:
    """Make each change that can be made, and yield it. An interruption is repaired by planning again."""
    for change in changes:
        for request in change.requests:
            await api.write(request.path, request.body)
        if change.requests:
            yield change
