"""The fake signer behind the real wire, so that the trader's client and program can be tested without the signer."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import grpc
from google.protobuf import any_pb2
from google.rpc import code_pb2, error_details_pb2, status_pb2
from grpc import aio
from grpc_status import rpc_status

from protos.airlock.signer.v1 import signer_pb2, signer_pb2_grpc, types_pb2
from tests.fakes.fake_signer import FakeSigner
from trader.domain.errors import SignerNotReadyError, SignerUnavailableError
from trader.domain.ids import IdempotencyKey, parse_address, parse_wallet
from trader.domain.quotes import TransactionDraft
from trader.domain.time import UnixMs
from trader.ports.signer import ApprovalBelief, Belief, Refused, Signed, SwapBelief

Context = aio.ServicerContext


class SignerService(signer_pb2_grpc.SignerServicer):
    """Only what the trader calls."""

    def __init__(self, signer: FakeSigner) -> None:
        self._signer = signer

    async def ListAccounts(self, request, context):  # type: ignore[no-untyped-def]  # noqa: N802
        account = signer_pb2.Account(
            account=self._signer.wallet, backend="dev", state=signer_pb2.Account.STATE_ACTIVE
        )
        return signer_pb2.ListAccountsResponse(accounts=[account])

    async def SignEvmTransaction(self, request, context):  # type: ignore[no-untyped-def]  # noqa: N802
        answer = await _answer(
            context,
            self._signer.sign(
                IdempotencyKey(request.idempotency_key),
                parse_wallet(request.account),
                _draft(request.transaction),
                _belief(request.claim),
            ),
        )
        return signer_pb2.SignEvmTransactionResponse(
            transaction_id=answer.transaction_id,
            nonce=answer.nonce,
            raw_transaction=answer.raw,
            transaction_hash=answer.transaction_hash,
        )

    async def Evaluate(self, request, context):  # type: ignore[no-untyped-def]  # noqa: N802
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

    async def GetTransaction(self, request, context):  # type: ignore[no-untyped-def]  # noqa: N802
        record = await self._signer.lookup(IdempotencyKey(request.idempotency_key))
        if record is None:
            await context.abort(grpc.StatusCode.NOT_FOUND, "no such transaction")
        return signer_pb2.GetTransactionResponse(
            transaction=types_pb2.TransactionRecord(
                transaction_id=record.transaction_id,
                transaction_hash=record.transaction_hash,
                nonce=record.nonce,
                state=types_pb2.SLOT_STATE_SIGNED,
            )
        )

    async def ReportBroadcast(self, request, context):  # type: ignore[no-untyped-def]  # noqa: N802
        await self._signer.report_broadcast(request.transaction_id, request.transaction_hash)
        return signer_pb2.ReportBroadcastResponse()


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


async def _answer(context: Context, asking) -> Signed:  # type: ignore[no-untyped-def, type-arg]
    try:
        answer = await asking
    except SignerUnavailableError as error:
        await context.abort(grpc.StatusCode.UNAVAILABLE, str(error))
    except SignerNotReadyError as error:
        await context.abort(grpc.StatusCode.FAILED_PRECONDITION, str(error))
    if isinstance(answer, Refused):
        await context.abort_with_status(rpc_status.to_status(denial(answer)))
    assert isinstance(answer, Signed)
    return answer


def denial(refused: Refused, domain: str = "signer.airlock") -> status_pb2.Status:
    """PERMISSION_DENIED with one ErrorInfo for each refusal."""
    details = []
    for refusal in refused.refusals:
        detail = any_pb2.Any()
        detail.Pack(
            error_details_pb2.ErrorInfo(reason=refusal.reason, domain=domain, metadata=dict(refusal.metadata))
        )
        details.append(detail)
    return status_pb2.Status(code=code_pb2.PERMISSION_DENIED, message="denied", details=details)


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
    return SwapBelief(
        token_in=parse_address(claim.swap.token_in),
        token_out=parse_address(claim.swap.token_out),
        amount_in=int(claim.swap.amount_in),
        minimum_out=int(claim.swap.minimum_out),
        quoted_out=int(claim.swap.quoted_out),
        quoted_at=UnixMs(claim.swap.quote_time_unix_ms),
    )
