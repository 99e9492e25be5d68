"""ReportBroadcast: a hint that a node has the bytes. Changes no budget; only the chain's word does that."""

from signer.domain.errors import InvalidRequestError
from signer.domain.records import TransactionRecord
from signer.domain.rotation import ROTATION_CLIENT
from signer.domain.slots import SlotEvent, SlotState
from signer.domain.transactions import TransactionId
from signer.ports.clock import Clock
from signer.ports.ledger import Ledger, SlotChange
from signer.service.clients import Client
from signer.service.get_transaction import visible_transaction

METHOD = "ReportBroadcast"


class ReportBroadcast:
    """Records the client's word."""

    def __init__(self, *, ledger: Ledger, clock: Clock) -> None:
        self._ledger = ledger
        self._clock = clock

    async def __call__(
        self, client: Client, transaction: TransactionId, transaction_hash: str
    ) -> TransactionRecord:
        """Record after the report. Raises InvalidRequestError for a hash that was not signed."""
        record = await visible_transaction(self._ledger, client, METHOD, transaction)
        if record.signed is None or record.signed.hash != transaction_hash:
            raise InvalidRequestError("transaction_hash", f"is not the hash of transaction {transaction}")
        # A rotation's bytes the signer broadcasts itself; told that they are out, it would not for a minute.
        if record.state is not SlotState.SIGNED or record.client == ROTATION_CLIENT:
            return record
        change = SlotChange(id=transaction, event=SlotEvent.BROADCAST_REPORTED)
        await self._ledger.apply((change,), self._clock.now())
        return await visible_transaction(self._ledger, client, METHOD, transaction)
