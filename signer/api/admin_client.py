"""A client of the Admin service for the command line. Speaks in plain values; protobuf stays here."""

from collections.abc import AsyncGenerator, AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import grpc
import grpc.aio

from protos.airlock.signer.v1 import admin_pb2, admin_pb2_grpc
from signer.api.plain_text import plain
from signer.api.refused import RefusedError
from signer.api.seen import NonsenseError, SeenPicture, seen
from signer.domain.errors import ConfigurationError, UnavailableError
from signer.domain.reasons import FailReason

Answer = TypeVar("Answer")
_TIMEOUT_S = 30
_MOST_TEXT = 2_000


@dataclass(frozen=True, slots=True, kw_only=True)
class AdminIdentity:
    """PEM files of the operator: its certificate, its key, and the authority that signed the signer's."""

    certificate: Path
    key: Path
    server_ca: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class NonceReport:
    """Answer of ReconcileNonces."""

    chain_nonce_latest: int
    chain_nonce_finalized: int
    ledger_next_nonce: int
    free_nonces: tuple[int, ...]
    findings: tuple[str, ...]
    applied: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class RotationAnswer:
    """Answer of RotateAccount."""

    new_account: str
    progress: tuple[str, ...]
    finished: bool
    swept: bool


ROTATION_STEPS = {
    "begin": admin_pb2.RotateAccountRequest.STEP_BEGIN,
    "status": admin_pb2.RotateAccountRequest.STEP_STATUS,
    "finish": admin_pb2.RotateAccountRequest.STEP_FINISH,
    "abort": admin_pb2.RotateAccountRequest.STEP_ABORT,
}


class AdminClient:
    """One method per RPC. Raises RefusedError or UnavailableError."""

    def __init__(self, stub: "admin_pb2_grpc.AdminAsyncStub") -> None:
        self._stub = stub

    async def pause(self, account: str, reason: str) -> tuple[str, ...]:
        """Accounts that are paused now."""
        request = admin_pb2.PauseRequest(account=account, reason=reason)
        return tuple((await _answer(self._stub.Pause(request, timeout=_TIMEOUT_S))).paused_accounts)

    async def resume(self, account: str) -> tuple[str, ...]:
        """Accounts that are still paused."""
        request = admin_pb2.ResumeRequest(account=account)
        return tuple((await _answer(self._stub.Resume(request, timeout=_TIMEOUT_S))).paused_accounts)

    async def reload_policy(self, *, dry_run: bool) -> tuple[str, str]:
        """Hashes before and after."""
        request = admin_pb2.ReloadPolicyRequest(dry_run=dry_run)
        answer = await _answer(self._stub.ReloadPolicy(request, timeout=_TIMEOUT_S))
        return answer.previous_policy_hash, answer.policy_hash

    async def reconcile_nonces(self, account: str, *, apply: bool) -> NonceReport:
        """What the ledger and the chain disagree about."""
        request = admin_pb2.ReconcileNoncesRequest(account=account, apply=apply)
        answer = await _answer(self._stub.ReconcileNonces(request, timeout=_TIMEOUT_S))
        return NonceReport(
            chain_nonce_latest=answer.chain_nonce_latest,
            chain_nonce_finalized=answer.chain_nonce_finalized,
            ledger_next_nonce=answer.ledger_next_nonce,
            free_nonces=tuple(answer.free_nonces),
            findings=tuple(answer.findings),
            applied=answer.applied,
        )

    async def rotate_account(
        self, step: str, account: str, *, new_account: str = "", emergency: bool = False
    ) -> RotationAnswer:
        """Do one of ROTATION_STEPS; `new_account` and `emergency` belong to `begin`."""
        request = admin_pb2.RotateAccountRequest(
            account=account, step=ROTATION_STEPS[step], new_account=new_account, emergency=emergency
        )
        answer = await _answer(self._stub.RotateAccount(request, timeout=_TIMEOUT_S))
        return RotationAnswer(
            new_account=answer.new_account,
            progress=tuple(answer.progress),
            finished=answer.finished,
            swept=answer.swept,
        )

    async def watch_approvals(self) -> AsyncGenerator[SeenPicture]:
        """The picture now and after every change, until the signer or the connection ends it."""
        try:
            async for picture in self._stub.WatchApprovals(admin_pb2.WatchApprovalsRequest()):
                yield seen(picture)
        except grpc.aio.AioRpcError as error:
            raise _error(error) from None
        except NonsenseError as problem:
            raise RefusedError(f"the signer's answer is not understood: {problem}") from None

    async def dismiss_approval(self, approval_id: str, reason: str) -> bool:
        """Whether it still waited."""
        request = admin_pb2.DismissApprovalRequest(approval_id=approval_id, reason=reason)
        return (await _answer(self._stub.DismissApproval(request, timeout=_TIMEOUT_S))).dismissed


@asynccontextmanager
async def admin_client(address: str, identity: AdminIdentity) -> AsyncIterator[AdminClient]:
    """Connect with mutual TLS. Raises ConfigurationError for a file that cannot be read."""
    credentials = grpc.ssl_channel_credentials(
        root_certificates=_read(identity.server_ca),
        private_key=_read(identity.key),
        certificate_chain=_read(identity.certificate),
    )
    # Of its own, since a connection that failed would make the next one wait.
    options = (("grpc.use_local_subchannel_pool", 1),)
    async with grpc.aio.secure_channel(address, credentials, options) as channel:
        stub = admin_pb2_grpc.AdminStub(channel)
        yield AdminClient(stub)  # type: ignore[arg-type]  # at run time one class serves both kinds of channel


async def _answer(call: Awaitable[Answer]) -> Answer:
    try:
        return await call
    except grpc.aio.AioRpcError as error:
        raise _error(error) from None


def _error(error: grpc.aio.AioRpcError) -> RefusedError | UnavailableError:
    text = plain(f"{error.code().name}: {error.details()}", at_most=_MOST_TEXT)
    if error.code() in {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED}:
        return UnavailableError(FailReason.SHUTTING_DOWN, f"the signer is out of reach: {text}")
    return RefusedError(text)


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ConfigurationError(f"{path}: cannot be read: {error.strerror}") from error
