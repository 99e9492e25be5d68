"""GetTransaction: what the ledger knows of one transaction, for a client that has a grant for its account."""

from signer.domain.errors import NotFoundError, UnavailableError
from signer.domain.reasons import FailReason
from signer.domain.records import TransactionRecord
from signer.domain.transactions import IdempotencyKey, TransactionId
from signer.ports.ledger import Ledger
from signer.service.clients import Client
from signer.service.path.replay import Replay

METHOD = "GetTransaction"


async def visible_transaction(
    ledger: Ledger, client: Client, method: str, transaction: TransactionId
) -> TransactionRecord:
    """Transaction by id.

    NotFoundError, in the same words, for one that is absent and for one that is not granted.
    """
    record = await ledger.get(transaction)
    if record is None or not client.may(method, record.account):
        raise NotFoundError(f"no transaction {transaction!r} among the accounts granted for {method}")
    return record


class GetTransaction:
    """Looks a transaction up."""

    def __init__(self, *, ledger: Ledger, replay: Replay) -> None:
        self._ledger = ledger
        self._replay = replay

    async def __call__(
        self, client: Client, *, transaction: TransactionId | None = None, key: IdempotencyKey | None = None
    ) -> TransactionRecord:
        """By the signer's id, or by the key under which this client asked. Raises NotFoundError.

        While the question with that key is still being worked on, perhaps by a person, nobody knows what
        becomes of it: UnavailableError (IN_PROGRESS). To say that there is no such transaction would let its
        client take it for dead.
        """
        if transaction is not None:
            return await visible_transaction(self._ledger, client, METHOD, transaction)
        if key is not None and self._replay.works_on(client.name, key):
            raise UnavailableError(FailReason.IN_PROGRESS, f"key {key!r} is being worked on; ask again later")
        record = await self._ledger.find(client.name, key) if key is not None else None
        if record is None or not client.may(METHOD, record.account):
            raise NotFoundError(f"no transaction under key {key!r} among the accounts granted for {METHOD}")
        return record
