"""What every call passes first: who asks, in which role, is there room, is it protobuf.

The supervision boundary of the signer's edge, where errors become answers: a mistake of ours ends one call
and is logged, never the process.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterator
from contextlib import aclosing, contextmanager
from typing import NoReturn, TypeAlias, TypeVar

import grpc
import grpc.aio
from google.protobuf.message import DecodeError, Message

from signer.api.admission import Admission
from signer.api.errors import WireError, of_bug, of_denial, of_error, reason_of
from signer.api.identity import Identities
from signer.api.translate.fields import refuse_unknown_fields
from signer.domain.decisions import Denied
from signer.domain.errors import InvalidRequestError, SignerError, UnavailableError
from signer.domain.reasons import FailReason
from signer.ports.events import EventLog
from signer.ports.meter import CallMeter
from signer.service.clients import Client, Role

Request = TypeVar("Request", bound=Message)
Response = TypeVar("Response", bound=Message)
CANCELLED = "CANCELLED"
"""In the metrics, of a call whose client went away before its answer."""

Context: TypeAlias = "grpc.aio.ServicerContext[bytes, bytes]"


class Edge:
    """Turns translating handlers into gRPC handlers that take and give bytes."""

    def __init__(
        self,
        *,
        role: Role,
        identities: Identities,
        calls: Admission,
        streams: Admission,
        log: EventLog,
        meter: CallMeter,
    ) -> None:
        self._role = role
        self._identities = identities
        self._calls = calls
        self._streams = streams
        self._log = log
        self._meter = meter
        self._open_streams: set[asyncio.Task[object]] = set()
        self._ending = False

    def unary(
        self,
        method: str,
        request_type: type[Request],
        handler: Callable[[Client, Request], Awaitable[Response | Denied]],
    ) -> "grpc.RpcMethodHandler[bytes, bytes]":
        """One question, one answer."""

        async def behaviour(raw: bytes, context: Context) -> bytes:
            meter, mark = self._meter, self._meter.begun()
            try:
                with self._calls:
                    client = self._admit(method, context)
                    answer = await handler(client, _parsed(request_type, raw))
                if not isinstance(answer, Denied):
                    encoded = answer.SerializeToString()
                    meter.answered(method, mark)
                    return encoded
                error = of_denial(answer)
                meter.denied(method, mark, (each.reason for each in answer.violations))
            except SignerError as problem:
                error = self._of_error(method, problem)
                meter.failed(method, mark, reason_of(problem))
            except asyncio.CancelledError:
                meter.failed(method, mark, CANCELLED)
                raise
            except Exception as bug:  # noqa: BLE001 - supervision boundary: one call fails, nothing leaks
                error = self._of_bug(method, bug)
                meter.failed(method, mark, FailReason.BROKEN)
            return await _abort(context, error)

        return grpc.unary_unary_rpc_method_handler(behaviour)

    def stream(
        self,
        method: str,
        request_type: type[Request],
        handler: Callable[[Client, Request], AsyncGenerator[Response]],
    ) -> "grpc.RpcMethodHandler[bytes, bytes]":
        """One question, many answers. Streams have a bound of their own."""

        async def behaviour(raw: bytes, context: Context) -> AsyncIterator[bytes]:
            task = asyncio.current_task()
            try:
                with self._streams, self._listed(task):
                    client = self._admit(method, context)
                    async with aclosing(handler(client, _parsed(request_type, raw))) as messages:
                        async for message in messages:
                            yield message.SerializeToString()
            except asyncio.CancelledError:
                if task is None or not self._ending:
                    raise
                task.uncancel()
                ending = UnavailableError(
                    FailReason.SHUTTING_DOWN, "the signer is shutting down; watch again later"
                )
                error = self._of_error(method, ending)
            except SignerError as problem:
                error = self._of_error(method, problem)
            except Exception as bug:  # noqa: BLE001 - supervision boundary, as in `unary`
                error = self._of_bug(method, bug)
            else:
                return
            await _abort(context, error)

        return grpc.unary_stream_rpc_method_handler(behaviour)

    def end_streams(self) -> None:
        """Tell every stream that the signer shuts down; streams never end by themselves."""
        self._ending = True
        for task in self._open_streams:
            task.cancel()

    @contextmanager
    def _listed(self, task: "asyncio.Task[object] | None") -> Iterator[None]:
        if task is None or self._ending:
            raise UnavailableError(FailReason.SHUTTING_DOWN, "the signer is shutting down; watch again later")
        self._open_streams.add(task)
        self._meter.stream_opened()
        try:
            yield
        finally:
            self._open_streams.discard(task)
            self._meter.stream_closed()

    def _admit(self, method: str, context: Context) -> Client:
        client = self._identities.client_of(context)
        client.require_role(self._role, method)
        return client

    def _of_error(self, method: str, problem: SignerError) -> WireError:
        error = of_error(problem)
        self._log.event("call.failed", method=method, code=error.code.name, problem=error.message)
        return error

    def _of_bug(self, method: str, bug: Exception) -> WireError:
        self._log.event("call.broken", method=method, bug=repr(bug))
        return of_bug()


async def _abort(context: Context, error: WireError) -> NoReturn:
    await context.abort(error.code, error.message, error.trailing)


def _parsed(request_type: type[Request], raw: bytes) -> Request:
    try:
        request = request_type.FromString(raw)
    except DecodeError:
        name = request_type.DESCRIPTOR.full_name
        raise InvalidRequestError("request", f"is no protobuf message; allowed is {name}") from None
    refuse_unknown_fields(request)
    return request
