"""The audit trail as a hash-chained file of JSON lines. Appends only; never repairs in silence."""

from signer.adapters.audit_file.chain import Head
from signer.adapters.audit_file.file import AuditFile
from signer.adapters.audit_file.memory import MemoryAudit
from signer.adapters.audit_file.verify import Problem, VerifyReport, verify

__all__ = ["AuditFile", "Head", "MemoryAudit", "Problem", "VerifyReport", "verify"]
