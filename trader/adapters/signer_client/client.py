"""The Signer port over gRPC. Translates and nothing more; refuses to repeat a call on its own."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Iterator, Sequence
from contextlib import aclosing, asynccontextmanager, contextmanager
from typing import TypeVar

import grpc
from grpc import aio

from protos.airlock.signer.v1 import signer_pb2
from trader.adapters.signer_client import messages
from trader.adapters.signer_client.channel import SignerConnection, SignerTarget, signer_connection
from trader.adapters.signer_client.errors import refused_or_raise
from trader.domain.errors import SignerNotReadyError, SignerUnavailableError
from trader.domain.ids import Address, ChainName, IdempotencyKey, WalletId, parse_wallet
from trader.domain.quotes import TransactionDraft
from trader.domain.time import MS_PER_S
from trader.ports.signer import (
    Allowed,
    Belief,
    BudgetLine,
    Choice,
    GivenUp,
    Refused,
    Signed,
    SignerAccount,
    SignerRecord,
    Waiting,
)

DEADLINE_MS = 10_000
"""Enough for a key in memory or in Vault; what a person before a device needs comes on top of it."""

_LONGEST_PERSON_MS = 600_000
"""What the signer's settings can give a person at most: a new certificate does not cut such a call."""

T = TypeVar("T")


class SignerClient:
    """One signer; `deadline_ms` bounds every call, with the time of a person on top where one is asked.

    A lost answer is SignerUnavailableError.
    """

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
        async with aclosing(self._changes()) as changes:
            async for change in changes:
                if change.HasField("account_change"):
                    yield parse_wallet(change.account_change.account.account)

    async def phases(self) -> AsyncIterator[Waiting]:
        """What waits for a person. Ends by raising SignerUnavailableError or SignerNotReadyError."""
        async with aclosing(self._changes()) as changes:
            async for change in changes:
                waiting = messages.waiting(change)
                if waiting is not None:
                    yield waiting

    async def choose(self, group: str, chain: ChainName, token_in: Address, amount_in: int) -> Choice:
        """Which account of a wallet would sign a trade that gives so many base units now."""
        request = signer_pb2.ChooseAccountRequest(
            wallet=group,
            chain=chain,
            token_in=messages.address(token_in),
            amount_in=str(amount_in),
        )
        call = self._connection.stub().ChooseAccount(request, timeout=self._deadline_s)
        return messages.choice(await _definite(call))

    async def sign(
        self,
        key: IdempotencyKey,
        wallet: WalletId,
        draft: TransactionDraft,
        belief: Belief,
        *,
        person_ms: int = 0,
    ) -> Signed | Refused:
        """Ask for a signature."""
        request = signer_pb2.SignEvmTransactionRequest(
            idempotency_key=key,
            account=messages.account(wallet),
            transaction=messages.transaction(draft),
            claim=messages.claim(belief),
        )
        call = self._connection.stub().SignEvmTransaction(request, timeout=self._with_person_s(person_ms))
        return await _signed(call)

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
        *,
        person_ms: int = 0,
    ) -> Signed | Refused:
        """Same nonce and payload, higher fees."""
        request = signer_pb2.ReplaceTransactionRequest(
            idempotency_key=key,
            transaction_id=transaction_id,
            max_fee_per_gas_wei=str(max_fee_per_gas_wei),
            max_priority_fee_per_gas_wei=str(max_priority_fee_per_gas_wei),
        )
        call = self._connection.stub().ReplaceTransaction(request, timeout=self._with_person_s(person_ms))
        return await _signed(call)

    async def cancel(
        self,
        key: IdempotencyKey,
        transaction_id: str,
        max_fee_per_gas_wei: int,
        max_priority_fee_per_gas_wei: int,
        *,
        person_ms: int = 0,
    ) -> Signed | Refused | GivenUp:
        """Same nonce, an empty transfer to ourselves; what still waits for a person is given up instead."""
        request = signer_pb2.CancelTransactionRequest(
            idempotency_key=key,
            transaction_id=transaction_id,
            max_fee_per_gas_wei=str(max_fee_per_gas_wei),
            max_priority_fee_per_gas_wei=str(max_priority_fee_per_gas_wei),
        )
        call = self._connection.stub().CancelTransaction(request, timeout=self._with_person_s(person_ms))
        try:
            with _cut_is_no_answer():
                return messages.cancelled(await call)
        except aio.AioRpcError as error:
            return refused_or_raise(error)

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

    async def _changes(self) -> AsyncGenerator[signer_pb2.WatchTransactionsResponse, None]:
        request = signer_pb2.WatchTransactionsRequest()
        try:
            with _cut_is_no_answer():
                async for change in self._connection.stub().WatchTransactions(request):
                    yield change
        except aio.AioRpcError as error:
            raise _unexpected(refused_or_raise(error)) from None
        raise SignerUnavailableError("signer: ended the stream of changes")

    def _with_person_s(self, person_ms: int) -> float:
        return self._deadline_s + person_ms / MS_PER_S


@asynccontextmanager
async def signer_client(
    target: SignerTarget, *, deadline_ms: int = DEADLINE_MS
) -> AsyncIterator[SignerClient]:
    """A client, closed at the end of the block."""
    async with signer_connection(target, longest_call_ms=deadline_ms + _LONGEST_PERSON_MS) as connection:
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
