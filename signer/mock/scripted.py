"""Use cases that first do what the script says. What they then do is the real thing."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar, assert_never

from signer.domain.decisions import Denied, Violation
from signer.domain.errors import PreconditionError, UnavailableError
from signer.domain.reasons import DenyReason, FailReason
from signer.mock.cuttable_wire import CuttableWire
from signer.mock.script import (
    AwaitApproval,
    CutAfterSigning,
    CutBeforeSigning,
    Delay,
    Deny,
    Hang,
    Script,
    Sign,
    Unavailable,
)
from signer.service.clients import Client

Request = TypeVar("Request")
Answer = TypeVar("Answer")
Signing = Callable[[Client, Request], Awaitable[Answer | Denied]]

_MS_PER_S = 1_000


def scripted(
    inner: "Signing[Request, Answer]", script: Script, wire: CuttableWire
) -> "Signing[Request, Answer]":
    """Wrap a use case that signs."""

    async def sign(client: Client, request: Request) -> Answer | Denied:
        step = script.take()
        match step:
            case Sign():
                return await inner(client, request)
            case Deny(reason=reason):
                return _denied(reason)
            case Delay(ms=ms):
                await asyncio.sleep(ms / _MS_PER_S)
                return await inner(client, request)
            case Hang():
                return await _never()
            case CutBeforeSigning():
                wire.cut()
                return await _never()
            case CutAfterSigning():
                await inner(client, request)
                wire.cut()
                return await _never()
            case Unavailable(reason=reason):
                raise UnavailableError(reason, "the script says: out of reach")
            case AwaitApproval():
                raise PreconditionError(
                    FailReason.DEVICE_WAITING, "the script says: waiting for a confirmation"
                )
            case _:
                assert_never(step)

    return sign


def _denied(reason: DenyReason) -> Denied:
    violation = Violation(
        reason=reason, rule="script", limit="what the script says", actual="denied", unit=""
    )
    return Denied(violations=(violation,), trace=("script",))


async def _never() -> Denied:
    await asyncio.Event().wait()
    raise AssertionError  # nobody sets the event: only a cancellation ends the wait
