"""The fake signer behind the real wire, for tests of the trader's client and program without the signer."""

import asyncio
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias, TypeVar

import grpc
from google.protobuf import any_pb2
from google.rpc import code_pb2, error_details_pb2, status_pb2
from grpc import aio
from grpc_status import rpc_status
from typing_extensions import override

from protos.airlock.signer.v1 import signer_pb2, signer_pb2_grpc, types_pb2
from tests.fakes.fake_signer import FakeSigner
from trader.domain.errors import Refusal, SignerHeldUpError, SignerNotReadyError, SignerUnavailableError
from trader.domain.ids import ChainName, IdempotencyKey, parse_address, parse_wallet
from trader.domain.quotes import TransactionDraft
from trader.domain.time import UnixMs
from trader.ports.signer import (
    ROTATED_OUT,
    ApprovalBelief,
    Belief,
    GivenUp,
    PersonPhase,
    Refused,
    Signed,
    SignerAccount,
    SwapBelief,
    TransferBelief,
)

if TYPE_CHECKING:  # the generated types exist only for the type checker
    Context: TypeAlias = signer_pb2_grpc._ServicerContext

Accounts: TypeAlias = signer_pb2.ListAccountsResponse


class SignerService(signer_pb2_grpc.SignerServicer):
    """What the trader calls; the rest is unimplemented."""

    def __init__(self, signer: FakeSigner) -> None:
        self._signer = signer

    @override
    async def ListAccounts(self, request: signer_pb2.ListAccountsRequest, context: "Context") -> Accounts:
        del request, context
        return signer_pb2.ListAccountsResponse(
            accounts=[_account(account) for account in await self._signer.accounts()]
        )

    @override
    async def SignEvmTransaction(
        self, request: signer_pb2.SignEvmTransactionRequest, context: "Context"
    ) -> signer_pb2.SignEvmTransactionResponse:
        asking = self._signer.sign(
            IdempotencyKey(request.idempotency_key),
            parse_wallet(request.account),
            _draft(request.transaction),
            _belief(request.claim),
        )
        signed = await _answer(context, asking)
        return signer_pb2.SignEvmTransactionResponse(
            transaction_id=signed.transaction_id,
            nonce=signed.nonce,
            raw_transaction=signed.raw,
            transaction_hash=signed.transaction_hash,
        )

    @override
    async def ReplaceTransaction(
        self, request: signer_pb2.ReplaceTransactionRequest, context: "Context"
    ) -> signer_pb2.ReplaceTransactionResponse:
        fees = int(request.max_fee_per_gas_wei), int(request.max_priority_fee_per_gas_wei)
        key = IdempotencyKey(request.idempotency_key)
        signed = await _answer(context, self._signer.replace(key, request.transaction_id, *fees))
        return signer_pb2.ReplaceTransactionResponse(
            transaction_id=signed.transaction_id,
            nonce=signed.nonce,
            raw_transaction=signed.raw,
            transaction_hash=signed.transaction_hash,
        )

    @override
    async def CancelTransaction(
        self, request: signer_pb2.CancelTransactionRequest, context: "Context"
    ) -> signer_pb2.CancelTransactionResponse:
        fees = int(request.max_fee_per_gas_wei), int(request.max_priority_fee_per_gas_wei)
        key = IdempotencyKey(request.idempotency_key)
        signed = await _answer(context, self._signer.cancel(key, request.transaction_id, *fees))
        if isinstance(signed, GivenUp):
            return signer_pb2.CancelTransactionResponse(transaction_id=signed.transaction_id)
        return signer_pb2.CancelTransactionResponse(
            transaction_id=signed.transaction_id,
            nonce=signed.nonce,
            raw_transaction=signed.raw,
            transaction_hash=signed.transaction_hash,
        )

    @override
    async def Evaluate(
        self, request: signer_pb2.EvaluateRequest, context: "Context"
    ) -> signer_pb2.EvaluateResponse:
        del context
        verdict = await self._signer.evaluate(
            parse_wallet(request.account), _draft(request.evm), _belief(request.claim)
        )
        if isinstance(verdict, Refused):
            violations = [
                types_pb2.Violation(reason=refusal.reason, **refusal.metadata) for refusal in verdict.refusals
            ]
            return signer_pb2.EvaluateResponse(
                verdict=signer_pb2.EvaluateResponse.VERDICT_DENIED, violations=violations
            )
        return signer_pb2.EvaluateResponse(
            verdict=signer_pb2.EvaluateResponse.VERDICT_APPROVED, decoded_actions=verdict.actions
        )

    @override
    async def GetTransaction(
        self, request: signer_pb2.GetTransactionRequest, context: "Context"
    ) -> signer_pb2.GetTransactionResponse:
        record = None
        try:
            record = await self._signer.lookup(IdempotencyKey(request.idempotency_key))
        except SignerUnavailableError as error:
            await context.abort_with_status(rpc_status.to_status(_held_up(error, code_pb2.UNAVAILABLE)))
        if record is None:
            await context.abort(grpc.StatusCode.NOT_FOUND, "no such transaction")
        assert record is not None
        return signer_pb2.GetTransactionResponse(
            transaction=types_pb2.TransactionRecord(
                transaction_id=record.transaction_id,
                transaction_hash=record.transaction_hash,
                nonce=record.nonce,
                state=types_pb2.SLOT_STATE_SIGNED,
            )
        )

    @override
    async def ReportBroadcast(
        self, request: signer_pb2.ReportBroadcastRequest, context: "Context"
    ) -> signer_pb2.ReportBroadcastResponse:
        del context
        await self._signer.report_broadcast(request.transaction_id, request.transaction_hash)
        return signer_pb2.ReportBroadcastResponse()

    @override
    async def GetBudget(
        self, request: signer_pb2.GetBudgetRequest, context: "Context"
    ) -> signer_pb2.GetBudgetResponse:
        del request, context
        return signer_pb2.GetBudgetResponse()

    @override
    async def ChooseAccount(
        self, request: signer_pb2.ChooseAccountRequest, context: "Context"
    ) -> signer_pb2.ChooseAccountResponse:
        del context
        amount = int(request.amount_in)
        choice = await self._signer.choose(
            request.wallet, ChainName(request.chain), parse_address(request.token_in), amount
        )
        return signer_pb2.ChooseAccountResponse(
            account=choice.wallet or "",
            choices=[
                signer_pb2.AccountChoice(
                    account=one.wallet,
                    would_sign=one.would_sign,
                    reason=one.reason,
                    message=one.message,
                    max_amount_in=str(one.max_amount_in),
                )
                for one in choice.accounts
            ],
        )

    @override
    async def SignSolanaTransaction(
        self, request: signer_pb2.SignSolanaTransactionRequest, context: "Context"
    ) -> signer_pb2.SignSolanaTransactionResponse:
        await context.abort(grpc.StatusCode.UNIMPLEMENTED, "not here")

    @override
    async def WatchTransactions(
        self, request: signer_pb2.WatchTransactionsRequest, context: "Context"
    ) -> AsyncIterator[signer_pb2.WatchTransactionsResponse]:
        del request, context
        changes: asyncio.Queue[signer_pb2.WatchTransactionsResponse] = asyncio.Queue()
        feeds = [asyncio.create_task(self._feed_accounts(changes)), asyncio.create_task(self._feed(changes))]
        try:
            while True:
                yield await changes.get()
        finally:
            for feed in feeds:
                feed.cancel()

    async def _feed_accounts(self, changes: "asyncio.Queue[signer_pb2.WatchTransactionsResponse]") -> None:
        async for wallet in self._signer.account_changes():
            change = signer_pb2.AccountChange(account=_account(self._signer.listed[wallet]))
            changes.put_nowait(signer_pb2.WatchTransactionsResponse(account_change=change))

    async def _feed(self, changes: "asyncio.Queue[signer_pb2.WatchTransactionsResponse]") -> None:
        async for waiting in self._signer.phases():
            record = types_pb2.TransactionRecord(
                transaction_id=waiting.transaction_id,
                account=waiting.wallet,
                idempotency_key=waiting.key,
            )
            phase = signer_pb2.WatchTransactionsResponse.DevicePhase.Value(
                f"DEVICE_PHASE_{_WORD[waiting.phase]}"
            )
            changes.put_nowait(
                signer_pb2.WatchTransactionsResponse(
                    transaction=record, device_phase=phase, device_message=waiting.message
                )
            )


@asynccontextmanager
async def signer_server(signer: FakeSigner, folder: Path) -> AsyncIterator[str]:
    """Serves on a Unix socket in `folder`; yields the target."""
    server = aio.server()
    signer_pb2_grpc.add_SignerServicer_to_server(SignerService(signer), server)
    target = f"unix:{folder / 'signer.sock'}"
    server.add_insecure_port(target)
    await server.start()
    try:
        yield target
    finally:
        await server.stop(0)


@asynccontextmanager
async def tls_server(signer: FakeSigner, pki: Path) -> AsyncIterator[int]:
    """Serves with mutual TLS and the files of `airlock-signer dev-pki`; yields the port."""
    server = aio.server()
    signer_pb2_grpc.add_SignerServicer_to_server(SignerService(signer), server)
    credentials = grpc.ssl_server_credentials(
        [((pki / "server.key").read_bytes(), (pki / "server.pem").read_bytes())],
        root_certificates=(pki / "ca.pem").read_bytes(),
        require_client_auth=True,
    )
    port = server.add_secure_port("127.0.0.1:0", credentials)
    await server.start()
    try:
        yield port
    finally:
        await server.stop(0)


_WORD = {
    PersonPhase.QUEUED: "QUEUED",
    PersonPhase.WAITING: "WAITING_FOR_CONFIRMATION",
    PersonPhase.CONFIRMED: "CONFIRMED",
    PersonPhase.ENDED: "ENDED",
}
_Answered = TypeVar("_Answered", bound=Signed | GivenUp)


async def _answer(context: "Context", asking: Awaitable[_Answered | Refused]) -> _Answered:
    answer: _Answered | Refused | None = None
    try:
        answer = await asking
    except SignerUnavailableError as error:
        if error.reason:
            held_up = _held_up(error, code_pb2.UNAVAILABLE)
            await context.abort_with_status(rpc_status.to_status(held_up))
        await context.abort(grpc.StatusCode.UNAVAILABLE, str(error))
    except SignerNotReadyError as error:
        await context.abort(grpc.StatusCode.FAILED_PRECONDITION, str(error))
    if isinstance(answer, Refused):
        rotated = any(refusal.reason in ROTATED_OUT for refusal in answer.refusals)
        code = code_pb2.FAILED_PRECONDITION if rotated else code_pb2.PERMISSION_DENIED
        await context.abort_with_status(rpc_status.to_status(denial(answer, code=code)))
    assert answer is not None
    assert not isinstance(answer, Refused)
    return answer


def _held_up(error: SignerHeldUpError, code: int) -> status_pb2.Status:
    metadata = {}
    if error.instead is not None:
        metadata = {
            "next_account": error.instead.wallet,
            "next_max_amount_in": str(error.instead.max_amount_in),
        }
    return denial(Refused(refusals=(Refusal(reason=error.reason, metadata=metadata),)), code=code)


def denial(
    refused: Refused,
    domain: str = "signer.airlock",
    code: int = code_pb2.PERMISSION_DENIED,
) -> status_pb2.Status:
    """One ErrorInfo for each refusal."""
    details = []
    for refusal in refused.refusals:
        detail = any_pb2.Any()
        detail.Pack(
            error_details_pb2.ErrorInfo(reason=refusal.reason, domain=domain, metadata=dict(refusal.metadata))
        )
        details.append(detail)
    return status_pb2.Status(code=code, message="denied", details=details)


def _account(account: SignerAccount) -> signer_pb2.Account:
    return signer_pb2.Account(
        account=account.wallet,
        backend=account.backend,
        state=signer_pb2.Account.State.Value(f"STATE_{account.state.upper()}"),
        successor=account.successor or "",
        swept=account.swept,
        wallet=account.group,
        ready=account.ready,
        not_ready_reason=account.not_ready_reason,
        attended=account.person_ms > 0,
        approval_timeout_ms=account.person_ms,
    )


def _draft(message: types_pb2.EvmTransaction) -> TransactionDraft:
    return TransactionDraft(
        to=parse_address(message.to),
        value_wei=int(message.value_wei),
        data=message.data,
        gas_limit=message.gas_limit,
        max_fee_per_gas_wei=int(message.max_fee_per_gas_wei),
        max_priority_fee_per_gas_wei=int(message.max_priority_fee_per_gas_wei),
        deadline_s=0,  # it travels inside the data
    )


def _belief(claim: types_pb2.Claim) -> Belief:
    if claim.WhichOneof("kind") == "approve":
        return ApprovalBelief(
            token=parse_address(claim.approve.token),
            spender=parse_address(claim.approve.spender),
            amount=int(claim.approve.amount),
        )
    if claim.WhichOneof("kind") == "native_transfer":
        return TransferBelief(
            token=None,
            recipient=parse_address(claim.native_transfer.recipient),
            amount=int(claim.native_transfer.amount),
        )
    if claim.WhichOneof("kind") == "token_transfer":
        return TransferBelief(
            token=parse_address(claim.token_transfer.token),
            recipient=parse_address(claim.token_transfer.recipient),
            amount=int(claim.token_transfer.amount),
        )
    return SwapBelief(
        token_in=parse_address(claim.swap.token_in),
        token_out=parse_address(claim.swap.token_out),
        amount_in=int(claim.swap.amount_in),
        minimum_out=int(claim.swap.minimum_out),
        quoted_out=int(claim.swap.quoted_out),
        quoted_at=UnixMs(claim.swap.quote_time_unix_ms),
    )
