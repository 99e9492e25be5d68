"""What subscribers of the ledger hear: life-cycle changes in the order in which they became durable."""

from dataclasses import dataclass
from typing import NewType

from signer.domain.records import TransactionRecord
from signer.domain.slots import SlotState
from signer.domain.time import UnixMs

Cursor = NewType("Cursor", int)
"""Position in the ledger's event log; grows by one with every event."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TransactionEvent:
    """`record` is the transaction as it is when the event is read.

    `state` and `previous` are those of the event.
    """

    cursor: Cursor
    at: UnixMs
    record: TransactionRecord
    previous: SlotState | None
    state: SlotState
