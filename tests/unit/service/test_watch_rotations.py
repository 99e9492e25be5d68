from collections.abc import Sequence

from signer.domain.rotating import Fact, Rotating
from signer.service.rotation_schedule import DAY_S, RotationLimits
from signer.service.watch_rotations import WatchRotations
from tests.fakes.clock import START, FakeClock
from tests.unit.audit.checkpoints import RecordingLog


class OneKey:
    async def facts(self) -> Sequence[Fact]:
        return [Fact(what=Rotating.WRAPPING_KEY, name="airlock-envelopes", since=START)]


async def test_what_becomes_due_is_said_once_and_shown_at_every_look() -> None:
    clock, log = FakeClock(), RecordingLog()
    watch = WatchRotations(sources=[OneKey()], limits=RotationLimits(), clock=clock, log=log)
    for days in (1, 84, 1, 10, 1):
        clock.advance_s(days * DAY_S)
        await watch.look()

    assert log.names() == ["rotation.soon", "rotation.overdue"]
    assert log.events[1][1]["command"] == "airlock-signer rotate wrapping-key"
    assert len(watch.entries) == 1
