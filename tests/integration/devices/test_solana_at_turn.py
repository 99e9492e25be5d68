"""A message that is made when its turn has come: once, in bounded time, and never shown half made."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest

from signer.decode.solana.signature import require_signature
from signer.domain.errors import BrokenError, PreconditionError, RejectedError, SignerError, UnavailableError
from signer.domain.reasons import FailReason
from signer.ports.device import DevicePhase
from tests.integration.devices.ledger_rig import REAL, until
from tests.integration.devices.solana_desk import KINDS, SolanaDesk, solana_desk
from tests.integration.devices.trezor_rig import EMULATOR, EVM
from tests.testbed.solana import message, pay

pytestmark = pytest.mark.skipif(bool(REAL or EMULATOR), reason="scripts the device itself")

TO = b"\x09" * 32


def payment(desk: SolanaDesk, lamports: int = 1) -> bytes:
    return message(desk.key, lamports.to_bytes(32, "big"), pay(desk.key, TO, lamports))


def making(raw: bytes, *, before: Callable[[], None] = lambda: None) -> Callable[[], Awaitable[bytes]]:
    async def make() -> bytes:
        before()
        return raw

    return make


async def works(desk: SolanaDesk, lamports: int = 77) -> None:
    raw = payment(desk, lamports)
    signed = await desk.backend.sign_solana_at_turn(desk.account, making(raw), desk.watch)
    assert signed.message == raw
    require_signature(desk.key, signed.message, signed.signature)


@pytest.fixture(name="desk", params=KINDS)
async def _desk(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[SolanaDesk]:
    async with solana_desk(request.param, tmp_path) as desk:
        yield desk


async def test_the_signature_is_over_what_was_made(desk: SolanaDesk) -> None:
    await works(desk)

    assert desk.reviews == 1
    assert desk.phases[0] is DevicePhase.WAITING_FOR_CONFIRMATION
    assert DevicePhase.CONFIRMED in desk.phases


async def test_each_message_is_made_at_its_turn_and_not_before(desk: SolanaDesk) -> None:
    happened: list[str] = []
    desk.reads = lambda: happened.append("shown")

    await asyncio.gather(
        *(
            desk.backend.sign_solana_at_turn(
                desk.account,
                making(payment(desk, number), before=lambda: happened.append("made")),
                desk.watch,
            )
            for number in range(1, 6)
        )
    )

    assert happened == ["made", "shown"] * 5


@pytest.mark.parametrize(
    "error",
    [
        UnavailableError(FailReason.CHAIN_UNREACHABLE, "the node is away"),
        PreconditionError(FailReason.NONCE_NOT_USABLE, "it moved on"),
        RuntimeError("a mistake of ours"),
    ],
    ids=lambda error: type(error).__name__,
)
async def test_an_error_of_the_maker_ends_the_request_before_anything_is_shown(
    desk: SolanaDesk, error: Exception
) -> None:
    async def make() -> bytes:
        raise error

    with pytest.raises(type(error)) as caught:
        await desk.backend.sign_solana_at_turn(desk.account, make, desk.watch)

    assert caught.value is error
    assert desk.reviews == 0
    await works(desk)


@pytest.mark.parametrize("kind", KINDS)
async def test_a_slow_maker_ends_the_request_before_anything_is_shown(kind: str, tmp_path: Path) -> None:
    ended: list[BaseException] = []

    async def make() -> bytes:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError as error:
            ended.append(error)
            raise
        return b""

    async with solana_desk(kind, tmp_path, answer_ms=3_000) as desk:
        with pytest.raises(UnavailableError, match="not made within 3"):
            await desk.backend.sign_solana_at_turn(desk.account, make, desk.watch)
        await until(lambda: bool(ended))

        assert desk.reviews == 0
        await works(desk)


async def test_a_caller_who_leaves_while_it_is_made_is_shown_nothing(desk: SolanaDesk) -> None:
    begun, ended = asyncio.Event(), asyncio.Event()

    async def make() -> bytes:
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()
        return b""

    asking = asyncio.create_task(desk.backend.sign_solana_at_turn(desk.account, make, desk.watch))
    await begun.wait()
    asking.cancel()
    await asyncio.wait([asking])
    await ended.wait()

    assert asking.cancelled()
    await works(desk)
    assert desk.reviews == 1


async def test_nothing_is_made_for_a_device_that_is_not_there(desk: SolanaDesk) -> None:
    made: list[str] = []
    await works(desk)
    desk.unplug()

    with pytest.raises(UnavailableError) as caught:
        await desk.backend.sign_solana_at_turn(
            desk.account, making(payment(desk), before=lambda: made.append("made")), desk.watch
        )

    assert caught.value.reason is FailReason.DEVICE_GONE
    assert made == []


async def test_a_device_that_is_lost_while_it_is_made_signs_nothing(desk: SolanaDesk) -> None:
    with pytest.raises(SignerError) as caught:
        await desk.backend.sign_solana_at_turn(
            desk.account, making(payment(desk), before=desk.unplug), desk.watch
        )

    assert isinstance(caught.value, UnavailableError | PreconditionError)
    assert desk.reviews == 0


async def test_a_no_of_the_person_is_a_no(desk: SolanaDesk) -> None:
    desk.says_yes = False

    with pytest.raises(RejectedError):
        await desk.backend.sign_solana_at_turn(desk.account, making(payment(desk)), desk.watch)

    desk.says_yes = True
    await works(desk)


async def test_an_account_of_another_chain_makes_nothing(desk: SolanaDesk) -> None:
    made: list[str] = []

    with pytest.raises(BrokenError):
        await desk.backend.sign_solana_at_turn(
            EVM, making(payment(desk), before=lambda: made.append("made")), desk.watch
        )

    assert made == []


async def test_garbage_that_was_made_is_refused_by_name(desk: SolanaDesk) -> None:
    with pytest.raises(SignerError):
        await desk.backend.sign_solana_at_turn(desk.account, making(b""), desk.watch)

    assert desk.reviews == 0
    await works(desk)
