"""A command asks the running signer's own page for what only that signer knows."""

from signer.adapters.metrics.page_reader import RunningSignerAges
from signer.adapters.metrics.rotations import RotationMetrics
from signer.adapters.metrics.server import serving_metrics
from signer.domain.rotating import Fact, Rotating
from signer.domain.time import MS_PER_S, UnixMs
from signer.service.rotation_schedule import RotationLimits, schedule
from tests.fakes.clock import START, FakeClock
from tests.testbed.processes import free_port

WANTED = frozenset({Rotating.VAULT_TOKEN, Rotating.VAULT_CREDENTIAL})


async def test_the_facts_that_a_signer_shows_come_back_as_they_were() -> None:
    clock = FakeClock()
    facts = [
        Fact(what=Rotating.VAULT_TOKEN, name="vault", since=START, due=UnixMs(START + 40 * MS_PER_S)),
        Fact(what=Rotating.VAULT_CREDENTIAL, name="vault", problem="deliver a new secret id"),
        Fact(what=Rotating.POLICY, name="policy.toml", since=START),
    ]
    entries = schedule(facts, RotationLimits(), START)
    clock.advance_s(30)
    async with serving_metrics("127.0.0.1:0", [RotationMetrics(lambda: entries, clock)]) as port:
        ages = RunningSignerAges(listen=f"127.0.0.1:{port}", wanted=WANTED, clock=clock)
        found = {fact.what: fact for fact in await ages.facts()}

    assert set(found) == WANTED
    assert found[Rotating.VAULT_TOKEN] == facts[0]
    assert "could not look" in found[Rotating.VAULT_CREDENTIAL].problem


async def test_a_signer_that_does_not_run_leaves_it_unknown() -> None:
    listen = f"127.0.0.1:{free_port()}"
    found = await RunningSignerAges(listen=listen, wanted=WANTED, clock=FakeClock()).facts()

    assert {fact.what for fact in found} == WANTED
    assert all(f"page at {listen} cannot be read" in fact.problem for fact in found)
