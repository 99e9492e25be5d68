"""The Signer port over gRPC. Translates and nothing more; refuses to repeat a call on its own."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from typing import TypeVar

import grpc
from grpc import aio

from protos.airlock.signer.v1 import signer_pb2
from trader.adapters.signer_client import messages
from trader.adapters.signer_client.channel import SignerConnection, SignerTarget, signer_connection
from trader.adapters.signer_client.errors import refused_or_raise
from trader.domain.errors import SignerNotReadyError, SignerUnavailableError
from trader.domain.ids import IdempotencyKey, WalletId, parse_wallet
from trader.domain.quotes import TransactionDraft
from trader.domain.time import MS_PER_S
from trader.ports.signer import Allowed, Belief, BudgetLine, Refused, Signed, SignerAccount, SignerRecord

DEADLINE_MS = 10_000
"""Enough for a key in memory or in Vault; a device with a person before it needs its own, longer one."""

T = TypeVar("T")


class SignerClient:
    """One signer; `deadline_ms` bounds every call. A lost answer is SignerUnavailableError."""

    def __init__(self, connection: SignerConnection, *, deadline_ms: int = DEADLINE_MS) -> None:
        self._connection = connection
        self._deadline_s = deadline_ms / MS_PER_S

    async def accounts(self) -> Sequence[SignerAccount]:
        """Accounts that we have a grant for."""
        request = signer_pb2.ListAccountsRequest()
        answer = await _definite(self._connection.stub().ListAccounts(request, timeout=self._deadline_s))
        return [messages.signer_account(account) for account in answer.accounts]

    async def account_changes(self) -> AsyncIterator[WalletId]:
        """Accounts as they change. Ends by raising SignerUnavailableError or SignerNotReadyError."""
        request = signer_pb2.WatchTransactionsRequest()
        try:
            with _cut_is_no_answer():
                async for change in self._connection.stub().WatchTransactions(request):
                    if change.HasField("account_change"):
                        yield parse_wallet(change.account_change.account.account)
        except aio.AioRpcError as error:
            raise _unexpected(refused_or_raise(error)) from None
        raise SignerUnavailableError("signer: ended the stream of changes")

    async def sign(
        self, key: IdempotencyKey, wallet: WalletId, draft: TransactionDraft, belief: Belief
    ) -> Signed | Refused:
        """Ask for a signature."""
        request = signer_pb2.SignEvmTransactionRequest(
            idempotency_key=key,
            account=messages.account(wallet),
            transaction=messages.transaction(draft),
            claim=messages.claim(belief),
        )
        return await _signed(self._connection.stub().SignEvmTransaction(request, timeout=self._deadline_s))

    async def evaluate(self, wallet: WalletId, draft: TransactionDraft, belief: Belief) -> Allowed | Refused:
        """Ask for the verdict only."""
        request = signer_pb2.EvaluateRequest(
            account=messages.account(wallet),
            evm=messages.transaction(draft),
            claim=messages.claim(belief),
        )
        call = self._connection.stub().Evaluate(request, timeout=self._deadline_s)
        try:
            with _cut_is_no_answer():
                return messages.verdict(await call)
        except aio.AioRpcError as error:
            return refused_or_raise(error)

    async def replace(
        self,
        key: IdempotencyKey,
        transaction_id: str,
        max_fee_per_gas_wei: int,
        max_priority_fee_per_gas_wei: int,
    ) -> Signed | Refused:
        """Same nonce and payload, higher fees."""
        request = signer_pb2.ReplaceTransactionRequest(
            idempotency_key=key,
            transaction_id=transaction_id,
            max_fee_per_gas_wei=str(max_fee_per_gas_wei),
            max_priority_fee_per_gas_wei=str(max_priority_fee_per_gas_wei),
        )
        return await _signed(self._connection.stub().ReplaceTransaction(request, timeout=self._deadline_s))

    async def cancel(
        self,
        key: IdempotencyKey,
        transaction_id: str,
        max_fee_per_gas_wei: int,
        max_priority_fee_per_gas_wei: int,
    ) -> Signed | Refused:
        """Same nonce, an empty transfer to ourselves."""
        request = signer_pb2.CancelTransactionRequest(
            idempotency_key=key,
            transaction_id=transaction_id,
            max_fee_per_gas_wei=str(max_fee_per_gas_wei),
            max_priority_fee_per_gas_wei=str(max_priority_fee_per_gas_wei),
        )
        return await _signed(self._connection.stub().CancelTransaction(request, timeout=self._deadline_s))

    async def lookup(self, key: IdempotencyKey) -> SignerRecord | None:
        """What was signed under this key, without signing anything; None when the signer never did."""
        request = signer_pb2.GetTransactionRequest(idempotency_key=key)
        call = self._connection.stub().GetTransaction(request, timeout=self._deadline_s)
        try:
            with _cut_is_no_answer():
                answer = await call
        except aio.AioRpcError as error:
            if error.code() is grpc.StatusCode.NOT_FOUND:
                return None
            raise _unexpected(refused_or_raise(error)) from None
        return messages.record(answer.transaction)

    async def report_broadcast(self, transaction_id: str, transaction_hash: str) -> None:
        """Tell the signer that a node has the bytes."""
        request = signer_pb2.ReportBroadcastRequest(
            transaction_id=transaction_id, transaction_hash=transaction_hash
        )
        await _definite(self._connection.stub().ReportBroadcast(request, timeout=self._deadline_s))

    async def budget(self, wallet: WalletId) -> Sequence[BudgetLine]:
        """What is left of the policy's rolling limits."""
        request = signer_pb2.GetBudgetRequest(account=messages.account(wallet))
        answer = await _definite(self._connection.stub().GetBudget(request, timeout=self._deadline_s))
        return [messages.budget_line(line) for line in answer.lines]


@asynccontextmanager
async def signer_client(
    target: SignerTarget, *, deadline_ms: int = DEADLINE_MS
) -> AsyncIterator[SignerClient]:
    """A client, closed at the end of the block."""
    async with signer_connection(target, longest_call_ms=deadline_ms) as connection:
        yield SignerClient(connection, deadline_ms=deadline_ms)


async def _signed(call: Awaitable[messages.SignedMessage]) -> Signed | Refused:
    try:
        with _cut_is_no_answer():
            return messages.signed(await call)
    except aio.AioRpcError as error:
        return refused_or_raise(error)


async def _definite(call: Awaitable[T]) -> T:
    """Answer of a call that the policy does not judge."""
    try:
        with _cut_is_no_answer():
            return await call
    except aio.AioRpcError as error:
        raise _unexpected(refused_or_raise(error)) from None


@contextmanager
def _cut_is_no_answer() -> Iterator[None]:
    """A call that ends with its connection says CancelledError, as if somebody had cancelled *us*.

    Let through, it would end the task that asked for ever, since nobody starts a cancelled task again.
    """
    try:
        yield
    except asyncio.CancelledError:
        task = asyncio.current_task()
        if task is None or task.cancelling():
            raise
        raise SignerUnavailableError("signer: the connection was closed during the call") from None


def _unexpected(refused: Refused) -> SignerNotReadyError:
    reasons = ", ".join(refusal.reason for refusal in refused.refusals)
    return SignerNotReadyError(f"signer: refused ({reasons})")
