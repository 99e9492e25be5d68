"""Answers that nobody asked for: late, old, of somebody else, or garbage. None is ever used."""

from collections.abc import Callable
from dataclasses import replace

import pytest
from trezorlib import messages

from signer.decode.evm.envelope import signing_hash
from signer.domain.errors import BrokenError, PreconditionError, RejectedError, UnavailableError
from signer.domain.reasons import FailReason
from signer.mock.devices.trezor.flavour import MODEL_T, SAFE_7, Flavour
from signer.mock.devices.trezor.person import Decision, Screen
from tests.integration.devices.trezor_rig import (
    APPROVE,
    IGNORE,
    KEYS,
    SEED,
    SOLANA,
    approve_late,
    rig,
    scripted,
    solana_message,
    transaction,
)


@pytest.mark.parametrize("flavour", [MODEL_T, SAFE_7], ids=lambda each: each.name)
async def test_a_late_confirmation_on_the_device_is_never_the_answer_to_the_next_request(
    flavour: Flavour,
) -> None:
    """The person confirms A when the host has gone; B must not get A's signature (core firmware)."""
    async with rig(flavour=flavour, person=scripted(IGNORE), approval_ms=2_000, answer_ms=2_000) as opened:
        # A host that only leaves, as the library does on its own: no Cancel, the dialog stays.
        opened.backend._owner._session._end_dialog = lambda: True  # type: ignore[method-assign]
        with pytest.raises(RejectedError):
            await opened.sign(0, data=b"")
        approve_late(opened.device)
        assert not opened.port.replies.empty()

        await opened.sign(1, data=b"")


async def test_a_stale_signature_before_a_request_is_destroyed() -> None:
    async with rig() as opened:
        await opened.sign()
        opened.device.send_unasked(_stale())

        await opened.sign(1)


@pytest.mark.parametrize("kind", ["evm", "solana"])
async def test_a_stale_signature_in_the_middle_of_a_request_is_never_used(kind: str) -> None:
    """It comes after the pins were checked, where only our own digest tells it from the right one."""
    inject: list[Callable[[], None]] = []

    def person(_: Screen) -> Decision:
        if inject:
            inject.pop()()
        return APPROVE

    async with rig(person=person) as opened:
        stale = _stale() if kind == "evm" else messages.SolanaTxSignature(signature=bytes(64))
        inject.append(lambda: opened.device.send_unasked(stale))
        signing = opened.sign() if kind == "evm" else opened.backend.sign_solana(SOLANA, solana_message())
        with pytest.raises(BrokenError, match="destroyed") as caught:
            await signing

        assert caught.value.reason is FailReason.SIGNATURE_INVALID
        await opened.sign(1)


@pytest.mark.parametrize(
    "garbage",
    [
        messages.Success(message="no"),
        messages.EthereumTxRequest(signature_v=7, signature_r=b"\1", signature_s=b"\1"),
        messages.EthereumTxRequest(signature_v=0, signature_r=bytes(99), signature_s=b""),
        messages.EthereumTxRequest(),
    ],
    ids=["other message", "strange parity", "wrong length", "empty"],
)
async def test_garbage_instead_of_a_signature_is_never_used(garbage: messages.Success) -> None:
    inject: list[Callable[[], None]] = []

    def person(_: Screen) -> Decision:
        if inject:
            inject.pop()()
        return APPROVE

    async with rig(person=person) as opened:
        inject.append(lambda: opened.device.send_unasked(garbage))
        with pytest.raises(BrokenError) as caught:
            await opened.sign()

        assert caught.value.reason is FailReason.SIGNATURE_INVALID
        await opened.sign(1)


async def test_chunks_that_are_no_message_are_garbage_before_a_request_and_forgotten() -> None:
    async with rig() as opened:
        await opened.sign()
        opened.port.replies.put(b"\xff" * 64)
        await opened.sign(1)

        opened.port.replies.put(b"?##\xff\xff" + bytes(59))
        await opened.sign(2)


async def test_a_cancelled_dialog_of_somebody_else_is_no_rejection_of_ours() -> None:
    async with rig() as opened:
        await opened.sign()
        opened.device.send_unasked(
            messages.Failure(code=messages.FailureType.ActionCancelled, message="Cancelled")
        )

        await opened.sign(1)


async def test_over_thp_what_comes_unasked_between_requests_costs_the_channel_and_nothing_else() -> None:
    """The library drops it unread and loses count: it reads garbage (2.0), or waits for ever (2.1)."""
    async with rig(flavour=replace(SAFE_7, thp=(2, 0))) as opened:
        await opened.sign()
        opened.device.send_unasked(_stale())

        await opened.sign(1)
    async with rig(flavour=SAFE_7, answer_ms=2_000) as opened:
        await opened.sign()
        opened.device.send_unasked(_stale())
        with pytest.raises(UnavailableError) as caught:
            await opened.sign(1)

        assert caught.value.reason is FailReason.DEVICE_GONE
        assert opened.device.received.count("EthereumSignTxEIP1559") == 1
        await opened.sign(2)


@pytest.mark.parametrize("version", [(2, 0), (2, 1)], ids=["2.0", "2.1"])
@pytest.mark.parametrize("what", ["signature", "garbage"])
async def test_over_thp_what_comes_unasked_in_a_review_is_an_unknown_outcome(
    version: tuple[int, int], what: str
) -> None:
    inject: list[Callable[[], None]] = []

    def person(_: Screen) -> Decision:
        if inject:
            inject.pop()()
        return APPROVE

    flavour = replace(SAFE_7, thp=version)
    async with rig(flavour=flavour, person=person, approval_ms=2_000, answer_ms=2_000) as opened:
        unasked = _stale() if what == "signature" else messages.Success(message="no")
        inject.append(lambda: opened.device.send_unasked(unasked))
        with pytest.raises(PreconditionError) as caught:
            await opened.sign()

        assert caught.value.reason is FailReason.DEVICE_OUTCOME_UNKNOWN
        assert opened.device.received.count("EthereumSignTxEIP1559") == 1
        await opened.sign(1)


def _stale() -> messages.EthereumTxRequest:
    """A true signature of this key, of another transaction."""
    steps = KEYS[0].steps
    raw = SEED.secp256k1(steps).sign_recoverable(signing_hash(transaction(99)), hasher=None)
    return messages.EthereumTxRequest(signature_v=raw[64], signature_r=raw[:32], signature_s=raw[32:64])
