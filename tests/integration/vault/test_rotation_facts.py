"""Ages of keys and of a login, as Vault tells them."""

from contextlib import closing
from uuid import uuid4

from signer.adapters.system_clock import SystemClock
from signer.adapters.vault.lease import Lease
from signer.adapters.vault.rotation_facts import LoginAges, VaultKeyAges
from signer.domain.accounts import AccountId
from signer.domain.rotating import Fact, Rotating
from signer.domain.time import MS_PER_S, UnixMs
from signer.service.rotation_schedule import RotationLimits, Urgency, schedule
from tests.fakes.clock import START, FakeClock
from tests.integration.vault.rewrap_rig import Wrapped
from tests.testbed.vault import VaultServer
from tests.testbed.vault_api import PlainVaultApi

SOLANA = AccountId("solana:EtWTRABZaYq6iMfeYKouRu166VU2xqa1:" + "1" * 32)


async def test_keys_are_as_old_as_their_newest_or_pinned_version(airlock_vault: VaultServer) -> None:
    name = uuid4().hex[:8]
    with closing(PlainVaultApi(airlock_vault)) as api:
        wrapped = await Wrapped(api, name=name, place="kv", count=1).make()
        await wrapped.transit.create(f"sol-{name}", type_="ed25519")
        ages = VaultKeyAges(
            transit=wrapped.transit,
            wrapping_key=wrapped.key,
            checkpoint_key="airlock-audit",
            solana={SOLANA: (f"sol-{name}", 1)},
        )
        facts = await ages.facts()
        await wrapped.transit.rotate(wrapped.key)
        half_done = (await ages.facts())[0]
        await wrapped.rotation().run(min_age_s=0)
        done = (await ages.facts())[0]
        now = SystemClock().now()

    assert [fact.what for fact in facts] == [
        Rotating.WRAPPING_KEY,
        Rotating.CHECKPOINT_KEY,
        Rotating.ACCOUNT,
    ]
    assert all(fact.since is not None and now - 600_000 < fact.since <= now for fact in facts)
    assert schedule([half_done], RotationLimits(), now)[0].urgency is Urgency.OVERDUE
    assert "finish the rotation" in half_done.problem
    assert (done.due, done.problem) == (None, "")


async def test_a_key_that_is_not_there_or_may_not_be_read_is_said(airlock_vault: VaultServer) -> None:
    with closing(PlainVaultApi(airlock_vault, token="no-such-token")) as api:
        transit = Wrapped(api, name="x", place="kv", count=0).transit
        ages = VaultKeyAges(transit=transit, wrapping_key="w", checkpoint_key=None, solana={})
        (forbidden,) = await ages.facts()
    with closing(PlainVaultApi(airlock_vault)) as api:
        transit = Wrapped(api, name="x", place="kv", count=0).transit
        ages = VaultKeyAges(transit=transit, wrapping_key=None, checkpoint_key="nothing", solana={})
        (missing,) = await ages.facts()

    assert forbidden.problem
    assert missing.problem == "Vault has no key nothing"


async def test_a_key_that_may_leave_vault_since_the_start_is_overdue(airlock_vault: VaultServer) -> None:
    key = f"sol-{uuid4().hex[:8]}"
    with closing(PlainVaultApi(airlock_vault)) as api:
        transit = Wrapped(api, name="x", place="kv", count=0).transit
        await transit.create(key, type_="ed25519")
        ages = VaultKeyAges(
            transit=transit, wrapping_key=None, checkpoint_key=None, solana={SOLANA: (key, 1)}
        )
        (before,) = await ages.facts()
        await airlock_vault.write(f"{transit.mount}/keys/{key}/config", {"exportable": True})
        (after,) = await ages.facts()

    assert before.problem == ""
    assert "exportable" in after.problem
    assert schedule([after], RotationLimits(), SystemClock().now())[0].urgency is Urgency.OVERDUE


async def test_a_login_is_due_at_two_thirds_and_overdue_when_a_person_has_to_act() -> None:
    clock = FakeClock()
    lease = Lease(token="t", at=START, ttl_s=90, full_ttl_s=90, renewable=True)
    fine = await _facts(lease, "", clock)
    needing = await _facts(lease, "approle needs a new credential", clock)
    lost = await _facts(None, "", clock)
    entries = schedule(needing, RotationLimits(), clock.now())

    assert fine[0].due == UnixMs(START + 60 * MS_PER_S)
    assert fine[1].due is None
    assert [entry.urgency for entry in entries] == [Urgency.OVERDUE, Urgency.FINE]
    assert lost[0].problem == "there is no token"


async def _facts(lease: Lease | None, needs: str, clock: FakeClock) -> list[Fact]:
    ages = LoginAges(login="vault", lease=lambda: lease, needs=lambda: needs, clock=clock)
    return list(await ages.facts())
