"""gRPC statuses of the signer into ours: denied, not ready and unknown are three different things.

Only a status that proves that nothing was signed becomes Refused or SignerNotReadyError. Everything else is
SignerUnavailableError: ask again with the same key.
"""

import re
from collections.abc import Iterable, Sequence

import grpc
from google.protobuf.any_pb2 import Any
from google.protobuf.message import DecodeError
from google.rpc import error_details_pb2, status_pb2
from grpc import aio

from trader.domain.errors import Instead, Refusal, SignerNotReadyError, SignerUnavailableError
from trader.domain.ids import parse_wallet
from trader.ports.signer import ROTATED_OUT, Refused

ERROR_DOMAIN = "signer.airlock"
_DETAILS_KEY = "grpc-status-details-bin"
_AMOUNT = re.compile(r"0|[1-9][0-9]{0,77}")

_OPERATOR_REASONS = frozenset({"NOT_GRANTED", "ACCOUNT_PAUSED", "ACCOUNT_RETIRED"})
"""Refusals of who asks, not of what: an operator mends them; they say nothing about an earlier answer."""


def refused_or_raise(error: aio.AioRpcError) -> Refused:
    """The denial that a status carries; SignerNotReadyError or SignerUnavailableError for any other."""
    refusals = tuple(_refusals(error))
    match error.code():
        case grpc.StatusCode.PERMISSION_DENIED if refusals and not _for_operator(refusals):
            return Refused(refusals=refusals)
        case grpc.StatusCode.INVALID_ARGUMENT | grpc.StatusCode.UNIMPLEMENTED:
            # The same content was malformed at the first asking, too: it was never signed.
            return Refused(refusals=refusals or (_by_status(error),))
        case grpc.StatusCode.FAILED_PRECONDITION if refusals and _rotated_out(refusals):
            return Refused(refusals=refusals)
        case (
            grpc.StatusCode.PERMISSION_DENIED
            | grpc.StatusCode.NOT_FOUND
            | grpc.StatusCode.ALREADY_EXISTS
            | grpc.StatusCode.FAILED_PRECONDITION
            | grpc.StatusCode.UNAUTHENTICATED
        ):
            raise SignerNotReadyError(
                _text(error, refusals), reason=_reason(refusals), instead=_instead(refusals)
            ) from None
        case _:
            raise SignerUnavailableError(
                _text(error, refusals), reason=_reason(refusals), instead=_instead(refusals)
            ) from None


def _reason(refusals: Sequence[Refusal]) -> str:
    return refusals[0].reason if refusals else ""


def _instead(refusals: Iterable[Refusal]) -> Instead | None:
    """Account that would sign instead, when the signer names one that we understand."""
    for refusal in refusals:
        named, most = refusal.metadata.get("next_account", ""), refusal.metadata.get("next_max_amount_in", "")
        try:
            wallet = parse_wallet(named)
        except ValueError:
            continue
        return Instead(wallet=wallet, max_amount_in=int(most) if _AMOUNT.fullmatch(most) else None)
    return None


def _for_operator(refusals: Iterable[Refusal]) -> bool:
    return any(refusal.reason in _OPERATOR_REASONS for refusal in refusals)


def _rotated_out(refusals: Iterable[Refusal]) -> bool:
    return all(refusal.reason in ROTATED_OUT for refusal in refusals)


def _refusals(error: aio.AioRpcError) -> Iterable[Refusal]:
    for detail in _details(error):
        info = error_details_pb2.ErrorInfo()
        if detail.Is(info.DESCRIPTOR) and detail.Unpack(info) and info.domain == ERROR_DOMAIN:
            yield Refusal(reason=info.reason, metadata=dict(info.metadata))


def _details(error: aio.AioRpcError) -> Iterable[Any]:
    """Details that ride in the trailing metadata; none when they belong to another status or are broken."""
    trailer = error.trailing_metadata().get(_DETAILS_KEY)
    try:
        status = status_pb2.Status.FromString(trailer if isinstance(trailer, bytes) else b"")
    except DecodeError:
        return ()
    code: int = error.code().value[0]
    return status.details if status.code == code else ()


def _by_status(error: aio.AioRpcError) -> Refusal:
    return Refusal(reason=error.code().name, metadata={"detail": (error.details() or "")[:200]})


def _text(error: aio.AioRpcError, refusals: Iterable[Refusal]) -> str:
    reasons = ", ".join(refusal.reason for refusal in refusals)
    return f"signer: {error.code().name}{f' ({reasons})' if reasons else ''}: {(error.details() or '')[:200]}"
