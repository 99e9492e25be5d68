"""Records and short trails for the tests of the audit file."""

from pathlib import Path

from signer.adapters.audit_file import AuditFile, Head
from signer.domain.accounts import AccountId
from signer.domain.transactions import ClientName
from signer.ports.audit import AuditRecord
from tests.fakes.clock import START, FakeClock


def record(number: int) -> AuditRecord:
    return AuditRecord(
        at=START,
        client=ClientName("spiffe://airlock.test/trader"),
        method="SignEvmTransaction",
        account=AccountId("eip155:31337:0x" + "a1" * 20),
        request_digest=f"{number:064x}",
        actions=(f"swap {number} of “ä” for 2 wei",),
        policy_hash="f" * 64,
        rules=("chain", "recipient"),
        verdict="approved",
        details=(),
        transaction=None,
        nonce=number,
    )


async def write_trail(path: Path, count: int) -> Head:
    """A trail of `count` records at `path`; returns its head."""
    async with AuditFile(path, FakeClock()) as audit:
        for number in range(count):
            await audit.append(record(number))
        return audit.head
