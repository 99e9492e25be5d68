"""Errors as the wire shows them: one table, total by a test. Leaks nothing of a mistake of ours."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from google.protobuf.any_pb2 import Any as PackedDetail
from google.protobuf.message import Message
from google.rpc.error_details_pb2 import BadRequest, ErrorInfo
from google.rpc.status_pb2 import Status
from grpc import StatusCode

from signer.api.translate.spelling import spelled
from signer.domain.decisions import Denied, Violation
from signer.domain.errors import (
    BrokenError,
    ConfigurationError,
    InvalidRequestError,
    KeyReusedError,
    NotFoundError,
    OverloadedError,
    PreconditionError,
    RejectedError,
    SignerError,
    UnavailableError,
)
from signer.domain.reasons import DenyReason, FailReason
from signer.domain.wallets import NextAccount
from signer.service.clients import NotGrantedError

DOMAIN = "signer.airlock"
MAX_VIOLATIONS = 20

# gRPC drops a call whose trailing metadata exceed 8,192 bytes, and the message travels in them twice.
MAX_STATUS_BYTES = 5_500
INVALID_REQUEST = "INVALID_REQUEST"
_MAX_MESSAGE = 400
_MAX_TEXT = 200
_DETAILS_KEY = "grpc-status-details-bin"

FAIL_STATUS: Mapping[FailReason, StatusCode] = {
    FailReason.ACCOUNT_PAUSED: StatusCode.FAILED_PRECONDITION,
    FailReason.ACCOUNT_RETIRED: StatusCode.FAILED_PRECONDITION,
    FailReason.ACCOUNT_DRAINING: StatusCode.FAILED_PRECONDITION,
    FailReason.ROTATION_NOT_POSSIBLE: StatusCode.FAILED_PRECONDITION,
    FailReason.LEDGER_NEEDS_RECONCILE: StatusCode.FAILED_PRECONDITION,
    FailReason.DEVICE_WAITING: StatusCode.FAILED_PRECONDITION,
    FailReason.DEVICE_LOCKED: StatusCode.FAILED_PRECONDITION,
    FailReason.DEVICE_WRONG_APP: StatusCode.FAILED_PRECONDITION,
    FailReason.DEVICE_BLIND_SIGNING_OFF: StatusCode.FAILED_PRECONDITION,
    FailReason.DEVICE_NOT_PAIRED: StatusCode.FAILED_PRECONDITION,
    FailReason.DEVICE_FIRMWARE_TOO_OLD: StatusCode.FAILED_PRECONDITION,
    FailReason.DEVICE_REFUSES: StatusCode.FAILED_PRECONDITION,
    FailReason.DEVICE_OUTCOME_UNKNOWN: StatusCode.FAILED_PRECONDITION,
    FailReason.WALLET_CONDITION: StatusCode.FAILED_PRECONDITION,
    FailReason.NONCE_NOT_USABLE: StatusCode.FAILED_PRECONDITION,
    FailReason.CHAIN_UNREACHABLE: StatusCode.UNAVAILABLE,
    FailReason.KEY_BACKEND_UNREACHABLE: StatusCode.UNAVAILABLE,
    FailReason.DEVICE_GONE: StatusCode.UNAVAILABLE,
    FailReason.DEVICE_BUSY: StatusCode.UNAVAILABLE,
    FailReason.VAULT_UNREACHABLE: StatusCode.UNAVAILABLE,
    FailReason.VAULT_SLOW: StatusCode.UNAVAILABLE,
    FailReason.VAULT_SEALED: StatusCode.UNAVAILABLE,
    FailReason.VAULT_STANDBY: StatusCode.UNAVAILABLE,
    FailReason.VAULT_RATE_LIMITED: StatusCode.UNAVAILABLE,
    FailReason.VAULT_FAULTY: StatusCode.UNAVAILABLE,
    FailReason.VAULT_FORBIDDEN: StatusCode.UNAVAILABLE,
    FailReason.VAULT_LOGGED_OUT: StatusCode.UNAVAILABLE,
    FailReason.LEDGER_UNAVAILABLE: StatusCode.UNAVAILABLE,
    FailReason.AUDIT_UNAVAILABLE: StatusCode.UNAVAILABLE,
    FailReason.SHUTTING_DOWN: StatusCode.UNAVAILABLE,
    FailReason.IN_PROGRESS: StatusCode.UNAVAILABLE,
    FailReason.OVERLOADED: StatusCode.RESOURCE_EXHAUSTED,
    FailReason.NOT_BUILT: StatusCode.UNIMPLEMENTED,
    FailReason.SIGNATURE_INVALID: StatusCode.INTERNAL,
    FailReason.BROKEN: StatusCode.INTERNAL,
}
"""Status of every reason to fail. Every reason to deny is PERMISSION_DENIED."""


class UnauthenticatedError(SignerError):
    """The connection does not say who the client is. Names what its certificate lacks."""


class NotBuiltError(SignerError):
    """In the contract, not in this signer yet."""

    def __init__(self, what: str) -> None:
        super().__init__(f"{what} is in the contract but not built yet")


@dataclass(frozen=True, slots=True, kw_only=True)
class WireError:
    """A gRPC error: status, text for people, and trailing metadata with google.rpc details."""

    code: StatusCode
    message: str
    trailing: tuple[tuple[str, bytes], ...]


def of_denial(denied: Denied) -> WireError:
    """PERMISSION_DENIED, one ErrorInfo per violated rule, 20 at most; `omitted` counts the rest."""
    violations = denied.violations
    first = violations[0]
    more = f" and {len(violations) - 1} more" if len(violations) > 1 else ""
    message = (
        f"denied: {first.reason}{more} ({first.rule}: {first.actual}, allowed {first.limit} {first.unit})"
    )
    infos = [_violation_info(violation) for violation in violations[:MAX_VIOLATIONS]]
    while True:
        omitted = len(violations) - len(infos)
        if omitted:
            infos[0].metadata["omitted"] = str(omitted)
        error = _wire(StatusCode.PERMISSION_DENIED, message, infos)
        if len(infos) == 1 or len(error.trailing[0][1]) <= MAX_STATUS_BYTES:
            return error
        infos.pop()


def of_error(error: SignerError) -> WireError:
    """The wire form of an error of the world."""
    text = str(error)
    match error:
        case InvalidRequestError(field=field, problem=problem):
            violation = BadRequest.FieldViolation(field=_cut(field), description=_cut(problem))
            bad_request = BadRequest(field_violations=[violation])
            return _wire(StatusCode.INVALID_ARGUMENT, text, [bad_request, _info(INVALID_REQUEST)])
        case (
            UnavailableError(reason=reason, next_account=NextAccount() as other)
            | PreconditionError(reason=reason, next_account=NextAccount() as other)
        ):
            return _wire(FAIL_STATUS[reason], text, [_info(reason, _next(other))])
        case UnavailableError(reason=reason) | PreconditionError(reason=reason) | BrokenError(reason=reason):
            return _wire(FAIL_STATUS[reason], text, [_info(reason)])
        case RejectedError(reason=reason):
            return _wire(StatusCode.PERMISSION_DENIED, text, [_info(reason)])
        case _:
            code, reason_text = _plain(error)
            return _wire(code, text, [_info(reason_text)])


def reason_of(error: SignerError) -> str:
    """The reason that the wire form of an error names."""
    match error:
        case InvalidRequestError():
            return INVALID_REQUEST
        case UnavailableError(reason=reason) | PreconditionError(reason=reason) | BrokenError(reason=reason):
            return reason
        case RejectedError(reason=reason):
            return reason
        case _:
            return _plain(error)[1]


def of_bug() -> WireError:
    """Our own mistake. Says nothing about it: the log does."""
    message = "the signer is broken; ask again with the same key to learn the outcome"
    return _wire(StatusCode.INTERNAL, message, [_info(FailReason.BROKEN)])


_PLAIN: Mapping[type[SignerError], tuple[StatusCode, str]] = {
    NotFoundError: (StatusCode.NOT_FOUND, "NOT_FOUND"),
    KeyReusedError: (StatusCode.ALREADY_EXISTS, "KEY_REUSED"),
    OverloadedError: (StatusCode.RESOURCE_EXHAUSTED, FailReason.OVERLOADED),
    ConfigurationError: (StatusCode.FAILED_PRECONDITION, "CONFIGURATION_INVALID"),
    NotGrantedError: (StatusCode.PERMISSION_DENIED, DenyReason.NOT_GRANTED),
    UnauthenticatedError: (StatusCode.UNAUTHENTICATED, "UNAUTHENTICATED"),
    NotBuiltError: (StatusCode.UNIMPLEMENTED, FailReason.NOT_BUILT),
}


def _plain(error: SignerError) -> tuple[StatusCode, str]:
    """An adapter's error that nobody gave a meaning to is a mistake of ours, and still an answer."""
    return _PLAIN.get(type(error), (StatusCode.INTERNAL, FailReason.BROKEN))


def _violation_info(violation: Violation) -> ErrorInfo:
    metadata = {
        "rule": _cut(violation.rule),
        "limit": _cut(violation.limit),
        "actual": _cut(violation.actual),
        "unit": _cut(violation.unit),
    }
    return _info(violation.reason, metadata)


def _next(other: NextAccount) -> Mapping[str, str]:
    most = {} if other.max_amount_in is None else {"next_max_amount_in": str(other.max_amount_in)}
    return {"next_account": spelled(other.account), **most}


def _info(reason: str, metadata: Mapping[str, str] | None = None) -> ErrorInfo:
    return ErrorInfo(reason=reason, domain=DOMAIN, metadata=metadata or {})


def _wire(code: StatusCode, message: str, details: Iterable[Message]) -> WireError:
    text = _cut(message, _MAX_MESSAGE)
    number: int = code.value[0]
    status = Status(code=number, message=text, details=[_pack(detail) for detail in details])
    return WireError(code=code, message=text, trailing=((_DETAILS_KEY, status.SerializeToString()),))


def _pack(detail: Message) -> PackedDetail:
    packed = PackedDetail()
    packed.Pack(detail)
    return packed


def _cut(text: str, most: int = _MAX_TEXT) -> str:
    return text if len(text) <= most else text[: most - 1] + "…"
