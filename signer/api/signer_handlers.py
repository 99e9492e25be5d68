"""The Signer service: each handler translates, calls its use case, translates back. It decides nothing."""

from collections.abc import AsyncGenerator
from contextlib import aclosing

import grpc

from protos.airlock.signer.v1 import signer_pb2 as pb
from signer.api.edge import Edge
from signer.api.errors import NotBuiltError
from signer.api.translate import answers, fields, requests
from signer.api.use_cases import SignerUseCases
from signer.domain.decisions import Denied
from signer.domain.errors import InvalidRequestError
from signer.domain.events import TransactionEvent
from signer.service.accounts import AccountView
from signer.service.approvals.approval import ApprovalView
from signer.service.clients import Client

SERVICE = "airlock.signer.v1.Signer"


def signer_service(use_cases: SignerUseCases, edge: Edge) -> grpc.GenericRpcHandler:
    """Every RPC of the Signer service."""
    handlers = _SignerHandlers(use_cases)
    return grpc.method_handlers_generic_handler(
        SERVICE,
        {
            "ListAccounts": edge.unary("ListAccounts", pb.ListAccountsRequest, handlers.list_accounts),
            "ChooseAccount": edge.unary("ChooseAccount", pb.ChooseAccountRequest, handlers.choose_account),
            "SignEvmTransaction": edge.unary(
                "SignEvmTransaction", pb.SignEvmTransactionRequest, handlers.sign_evm
            ),
            "SignSolanaTransaction": edge.unary(
                "SignSolanaTransaction", pb.SignSolanaTransactionRequest, handlers.sign_solana
            ),
            "Evaluate": edge.unary("Evaluate", pb.EvaluateRequest, handlers.evaluate),
            "ReplaceTransaction": edge.unary(
                "ReplaceTransaction", pb.ReplaceTransactionRequest, handlers.replace
            ),
            "CancelTransaction": edge.unary(
                "CancelTransaction", pb.CancelTransactionRequest, handlers.cancel
            ),
            "ReportBroadcast": edge.unary(
                "ReportBroadcast", pb.ReportBroadcastRequest, handlers.report_broadcast
            ),
            "GetTransaction": edge.unary(
                "GetTransaction", pb.GetTransactionRequest, handlers.get_transaction
            ),
            "GetBudget": edge.unary("GetBudget", pb.GetBudgetRequest, handlers.get_budget),
            "WatchTransactions": edge.stream(
                "WatchTransactions", pb.WatchTransactionsRequest, handlers.watch
            ),
        },
    )


class _SignerHandlers:
    def __init__(self, use_cases: SignerUseCases) -> None:
        self._do = use_cases

    async def list_accounts(self, client: Client, request: pb.ListAccountsRequest) -> pb.ListAccountsResponse:
        return answers.accounts(await self._do.list_accounts(client, fields.chain_or_all(request.chain)))

    async def choose_account(
        self, client: Client, request: pb.ChooseAccountRequest
    ) -> pb.ChooseAccountResponse:
        return answers.choices(await self._do.choose_account(client, requests.choice_request(request)))

    async def sign_evm(
        self, client: Client, request: pb.SignEvmTransactionRequest
    ) -> pb.SignEvmTransactionResponse | Denied:
        outcome = await self._do.sign_evm_transaction(client, requests.sign_request(request))
        return outcome if isinstance(outcome, Denied) else answers.signed(outcome)

    async def sign_solana(
        self, client: Client, request: pb.SignSolanaTransactionRequest
    ) -> pb.SignSolanaTransactionResponse:
        raise NotBuiltError(f"SignSolanaTransaction (asked by {client.name} for {request.account[:90]!r})")

    async def evaluate(self, client: Client, request: pb.EvaluateRequest) -> pb.EvaluateResponse:
        return answers.evaluation(await self._do.evaluate(client, requests.evaluate_request(request)))

    async def replace(
        self, client: Client, request: pb.ReplaceTransactionRequest
    ) -> pb.ReplaceTransactionResponse | Denied:
        bump = requests.fee_bump_request("ReplaceTransaction", request)
        outcome = await self._do.replace_transaction(client, bump)
        return outcome if isinstance(outcome, Denied) else answers.replaced(outcome)

    async def cancel(
        self, client: Client, request: pb.CancelTransactionRequest
    ) -> pb.CancelTransactionResponse | Denied:
        bump = requests.fee_bump_request("CancelTransaction", request)
        outcome = await self._do.cancel_transaction(client, bump)
        return outcome if isinstance(outcome, Denied) else answers.cancelled(outcome)

    async def report_broadcast(
        self, client: Client, request: pb.ReportBroadcastRequest
    ) -> pb.ReportBroadcastResponse:
        transaction = fields.transaction_id(request.transaction_id)
        reported = fields.transaction_hash(request.transaction_hash)
        record = await self._do.report_broadcast(client, transaction, reported)
        return pb.ReportBroadcastResponse(transaction=answers.transaction(record))

    async def get_transaction(
        self, client: Client, request: pb.GetTransactionRequest
    ) -> pb.GetTransactionResponse:
        match request.WhichOneof("key"):
            case "transaction_id":
                transaction = fields.transaction_id(request.transaction_id)
                record = await self._do.get_transaction(client, transaction=transaction)
            case "idempotency_key":
                key = fields.idempotency_key(request.idempotency_key)
                record = await self._do.get_transaction(client, key=key)
            case _:
                raise InvalidRequestError("key", "is not set; transaction_id or idempotency_key is allowed")
        return pb.GetTransactionResponse(transaction=answers.transaction(record))

    async def get_budget(self, client: Client, request: pb.GetBudgetRequest) -> pb.GetBudgetResponse:
        return answers.budget(await self._do.get_budget(client, fields.account(request.account)))

    async def watch(
        self, client: Client, request: pb.WatchTransactionsRequest
    ) -> AsyncGenerator[pb.WatchTransactionsResponse]:
        account = fields.account_or_all(request.account)
        after = fields.cursor_or_now(request.after_cursor)
        async with aclosing(self._do.watch_transactions(client, account, after)) as changes:
            async for change in changes:
                match change:
                    case TransactionEvent():
                        yield answers.event(change)
                    case ApprovalView():
                        yield answers.phase(change)
                    case AccountView():
                        yield answers.account_change(change)
