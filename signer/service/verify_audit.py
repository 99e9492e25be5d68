"""VerifyAudit: whether the audit trail is whole, for operators."""

from collections.abc import Awaitable, Callable
from typing import TypeAlias

from signer.ports.audit import AuditReport
from signer.service.clients import Client, Role

METHOD = "VerifyAudit"

Verify: TypeAlias = Callable[[], Awaitable[AuditReport]]


class VerifyAudit:
    """Checks the trail that this signer writes."""

    def __init__(self, *, verify: Verify) -> None:
        self._verify = verify

    async def __call__(self, client: Client) -> AuditReport:
        """Report on the whole trail as it is now."""
        client.require_role(Role.ADMIN, METHOD)
        return await self._verify()
