"""The Admin service: each handler translates, calls its use case, translates back. It decides nothing."""

from collections.abc import AsyncGenerator
from contextlib import aclosing

import grpc

from protos.airlock.signer.v1 import admin_pb2 as pb
from signer.api.edge import Edge
from signer.api.translate import answers, approvals, fields, requests
from signer.api.use_cases import AdminUseCases
from signer.domain.errors import InvalidRequestError
from signer.service.clients import Client

SERVICE = "airlock.signer.v1.Admin"
_MAX_REASON = 200


def admin_service(use_cases: AdminUseCases, edge: Edge) -> grpc.GenericRpcHandler:
    """Every RPC of the Admin service."""
    handlers = _AdminHandlers(use_cases)
    return grpc.method_handlers_generic_handler(
        SERVICE,
        {
            "Pause": edge.unary("Pause", pb.PauseRequest, handlers.pause),
            "Resume": edge.unary("Resume", pb.ResumeRequest, handlers.resume),
            "ReloadPolicy": edge.unary("ReloadPolicy", pb.ReloadPolicyRequest, handlers.reload_policy),
            "ReconcileNonces": edge.unary(
                "ReconcileNonces", pb.ReconcileNoncesRequest, handlers.reconcile_nonces
            ),
            "RotateAccount": edge.unary("RotateAccount", pb.RotateAccountRequest, handlers.rotate_account),
            "VerifyAudit": edge.unary("VerifyAudit", pb.VerifyAuditRequest, handlers.verify_audit),
            "WatchApprovals": edge.stream(
                "WatchApprovals", pb.WatchApprovalsRequest, handlers.watch_approvals
            ),
            "DismissApproval": edge.unary(
                "DismissApproval", pb.DismissApprovalRequest, handlers.dismiss_approval
            ),
        },
    )


class _AdminHandlers:
    def __init__(self, use_cases: AdminUseCases) -> None:
        self._do = use_cases

    async def pause(self, client: Client, request: pb.PauseRequest) -> pb.PauseResponse:
        reason = _reason(request.reason)
        paused = await self._do.pause(client, fields.account_or_all(request.account), reason)
        return pb.PauseResponse(paused_accounts=[answers.spelled(account) for account in paused])

    async def resume(self, client: Client, request: pb.ResumeRequest) -> pb.ResumeResponse:
        paused = await self._do.resume(client, fields.account_or_all(request.account))
        return pb.ResumeResponse(paused_accounts=[answers.spelled(account) for account in paused])

    async def reload_policy(self, client: Client, request: pb.ReloadPolicyRequest) -> pb.ReloadPolicyResponse:
        before, after = await self._do.reload_policy(client, dry_run=request.dry_run)
        return pb.ReloadPolicyResponse(previous_policy_hash=before.hash, policy_hash=after.hash)

    async def reconcile_nonces(
        self, client: Client, request: pb.ReconcileNoncesRequest
    ) -> pb.ReconcileNoncesResponse:
        result = await self._do.reconcile_nonces(client, fields.account(request.account), apply=request.apply)
        return pb.ReconcileNoncesResponse(
            chain_nonce_latest=result.chain_nonce_latest,
            chain_nonce_finalized=result.chain_nonce_finalized,
            ledger_next_nonce=result.ledger_next_nonce,
            free_nonces=result.free_nonces,
            findings=result.findings,
            applied=result.applied,
        )

    async def rotate_account(
        self, client: Client, request: pb.RotateAccountRequest
    ) -> pb.RotateAccountResponse:
        result = await self._do.rotate_account(client, requests.rotate_request(request))
        return pb.RotateAccountResponse(
            new_account=answers.spelled(result.new_account),
            progress=result.progress,
            finished=result.finished,
            swept=result.swept,
        )

    async def verify_audit(self, client: Client, _request: pb.VerifyAuditRequest) -> pb.VerifyAuditResponse:
        # Always the whole trail, whatever `from_sequence` says: the middle of a chain proves nothing.
        check = await self._do.verify_audit(client)
        return pb.VerifyAuditResponse(records=check.records, head_hash=check.head_hash, problem=check.problem)

    async def watch_approvals(
        self, client: Client, _request: pb.WatchApprovalsRequest
    ) -> AsyncGenerator[pb.WatchApprovalsResponse]:
        async with aclosing(self._do.watch_approvals(client)) as pictures:
            async for picture in pictures:
                yield approvals.picture(picture)

    async def dismiss_approval(
        self, client: Client, request: pb.DismissApprovalRequest
    ) -> pb.DismissApprovalResponse:
        approval = fields.transaction_id(request.approval_id, field="approval_id")
        dismissed = await self._do.dismiss_approval(client, approval, _reason(request.reason))
        return pb.DismissApprovalResponse(dismissed=dismissed)


def _reason(text: str) -> str:
    if len(text) > _MAX_REASON:
        problem = f"has {len(text)} characters; at most {_MAX_REASON} are allowed"
        raise InvalidRequestError("reason", problem)
    return text
