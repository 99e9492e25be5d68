"""Looking at a device: bounded in time, remembered for a moment, never behind a person, no exception."""

import asyncio
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from signer.adapters.device.look import Looker
from signer.adapters.device.owner import DeviceOwner, Ticket
from signer.adapters.device.states import DeviceState
from signer.domain.accounts import AccountId
from signer.domain.errors import ConfigurationError, PreconditionError
from signer.domain.reasons import FailReason

_ONE, _TWO = AccountId("eip155:1:0x" + "11" * 20), AccountId("eip155:1:0x" + "22" * 20)


@dataclass(slots=True)
class Session:
    """A device of the test: `state` is what it is, `looked` how often somebody asked it."""

    state: DeviceState = DeviceState.IDLE
    detail: str = "Model of a test"
    error: Exception | None = None
    looked: int = 0
    go_on: threading.Event = field(default_factory=threading.Event)

    def drain(self, ms: int) -> None:
        """Nothing comes."""

    def close(self) -> None:
        """Nothing is open."""

    def check(self) -> None:
        self.looked += 1
        if self.error is not None:
            raise self.error

    def wait(self) -> None:
        self.go_on.wait(timeout=60)


@dataclass(slots=True, kw_only=True)
class Scene:
    """A device, who looks at it, and a clock that is set by hand."""

    session: Session
    owner: DeviceOwner[Session]
    looker: Looker[Session]
    ms: int = 0

    async def look(self, account: AccountId = _ONE) -> tuple[bool, FailReason | None]:
        status = await self.looker.look(account, lambda session, _: session.check())
        return status.ready, status.reason


@asynccontextmanager
async def _scene(folder: Path, *, within_ms: int = 60_000) -> AsyncIterator[Scene]:
    session = Session()
    owner = DeviceOwner(session, name="desk", lock_file=folder / "lock")
    scene: list[Scene] = []
    looker = Looker(owner, name="desk", kind="test", steady=lambda: scene[0].ms, within_ms=within_ms)
    scene.append(Scene(session=session, owner=owner, looker=looker))
    try:
        yield scene[0]
    finally:
        session.go_on.set()
        await owner.aclose()


async def test_what_was_seen_counts_for_two_seconds(tmp_path: Path) -> None:
    async with _scene(tmp_path) as scene:
        first = await scene.look()
        scene.session.error = PreconditionError(FailReason.DEVICE_LOCKED, "locked")
        scene.ms = 1_999
        still = await scene.look()
        scene.ms = 2_000
        later = await scene.look()

        assert (first, still) == ((True, None), (True, None))
        assert later == (False, FailReason.DEVICE_LOCKED)
        assert scene.session.looked == 2


async def test_each_account_is_looked_at_by_itself(tmp_path: Path) -> None:
    async with _scene(tmp_path) as scene:
        await asyncio.gather(scene.look(_ONE), scene.look(_TWO), scene.look(_ONE))

        assert scene.session.looked == 2


async def test_a_request_on_its_way_is_not_waited_for(tmp_path: Path) -> None:
    async with _scene(tmp_path) as scene:
        seen = await scene.look(_ONE)
        asking = asyncio.create_task(scene.owner.run(_waiting))
        await _until_pending(scene)
        scene.ms = 10_000
        remembered, never_seen = await scene.look(_ONE), await scene.look(_TWO)
        scene.session.go_on.set()
        await asking

        assert (seen, remembered) == ((True, None), (True, None))
        assert never_seen == (False, FailReason.DEVICE_BUSY)
        assert scene.session.looked == 1


@pytest.mark.parametrize(
    ("state", "expected"),
    [(DeviceState.REVIEWING, (True, None)), (DeviceState.DRAINING, (False, FailReason.DEVICE_BUSY))],
)
async def test_a_device_before_a_person_is_not_asked(
    tmp_path: Path, state: DeviceState, expected: tuple[bool, FailReason | None]
) -> None:
    async with _scene(tmp_path) as scene:
        scene.session.state = state
        seen = await scene.look()
        scene.session.state = DeviceState.IDLE

        assert (seen, scene.session.looked) == (expected, 0)


async def test_a_device_that_hangs_ends_the_look_and_is_not_asked_again_at_once(tmp_path: Path) -> None:
    async with _scene(tmp_path, within_ms=50) as scene:
        hung = await scene.looker.look(_ONE, _waiting)
        again = await scene.look()

        assert (hung.ready, hung.reason, again) == (False, FailReason.DEVICE_BUSY, (False, hung.reason))
        assert "did not answer" in hung.message
        assert scene.session.looked == 0


@pytest.mark.parametrize("error", [ConfigurationError("no lock file can be made"), AssertionError("a bug")])
async def test_whoever_looks_hears_of_errors_and_gets_none(tmp_path: Path, error: Exception) -> None:
    async with _scene(tmp_path) as scene:
        scene.session.error = error
        status = await scene.looker.look(_ONE, lambda session, _: session.check())

        assert (status.ready, status.reason) == (False, FailReason.BROKEN)
        assert str(error) in status.message


def _waiting(session: Session, _: Ticket) -> None:
    session.wait()


async def _until_pending(scene: Scene) -> None:
    async with asyncio.timeout(60):
        while scene.owner.pending == 0:  # noqa: ASYNC110 - no event tells it
            await asyncio.sleep(0.003)
