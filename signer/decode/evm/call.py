"""What the readers of single calls share: their shape, and the refusal of native coin where none belongs."""

from collections.abc import Callable
from typing import TypeAlias

from signer.decode.evm.calldata import CalldataReader, NotReadableError
from signer.domain.actions import Action
from signer.domain.decisions import Violation
from signer.domain.reasons import DenyReason
from signer.domain.transactions import EvmPayload

ReadCall: TypeAlias = Callable[[EvmPayload, CalldataReader], Action]
"""Reads one call to its last byte or raises NotReadableError."""


def require_no_value(payload: EvmPayload) -> None:
    """Refuse native coin beside a call that does not take it: a router keeps it for whoever comes next."""
    if payload.value_wei:
        raise NotReadableError(
            Violation(
                reason=DenyReason.UNEXPECTED_VALUE,
                rule="decode",
                limit="0",
                actual=str(payload.value_wei),
                unit="wei",
            )
        )
