"""The life of a token by the clock: renewed in time, replaced in time, never given up while it works."""

import pytest

from signer.adapters.vault.api import VaultRefusedError
from signer.adapters.vault.errors import unavailable
from signer.adapters.vault.login.port import CredentialReadByAnotherError, LoginFailedError
from signer.domain.errors import UnavailableError
from signer.domain.reasons import FailReason
from tests.unit.vault.rig import Rig

SLOW = unavailable(FailReason.VAULT_SLOW, "busy")
MAY_PASS = {
    FailReason.VAULT_SLOW,
    FailReason.VAULT_UNREACHABLE,
    FailReason.VAULT_SEALED,
    FailReason.VAULT_STANDBY,
    FailReason.VAULT_RATE_LIMITED,
    FailReason.VAULT_FAULTY,
}
UNREACHABLE = unavailable(FailReason.VAULT_UNREACHABLE, "gone")


async def _logged_in(*, repeats: bool = True) -> Rig:
    rig = Rig(repeats=repeats)
    await rig.keeper.log_in()
    return rig


async def test_a_token_is_renewed_when_two_thirds_of_its_life_are_over() -> None:
    rig = await _logged_in()

    await rig.seconds(39)
    before = rig.renewals()
    await rig.seconds(1)

    assert (before, rig.renewals(), rig.token) == (0, 1, "t1")


async def test_a_login_that_repeats_takes_a_new_token_before_max_ttl_and_revokes_the_old() -> None:
    rig = await _logged_in()
    alive: list[bool] = []

    await rig.seconds(1_000, each=lambda: alive.append(rig.token in rig.vault.alive))

    assert all(alive)
    assert rig.login.logins == pytest.approx(1_000 / 160, abs=2)
    assert len(rig.vault.alive) == 1


async def test_a_login_that_needs_help_says_so_in_time_and_keeps_the_token_to_its_end() -> None:
    rig = await _logged_in(repeats=False)

    await rig.seconds(161)
    told = rig.told("vault.credential_needed")
    serving = rig.health.credential.serving

    assert (len(told), serving, rig.token) == (1, False, "t1")
    assert rig.vault.max_ttl_ends["t1"] - rig.clock.now() > 15_000


async def test_a_new_credential_swaps_the_token_and_revokes_the_old() -> None:
    rig = await _logged_in(repeats=False)
    rig.login.new_credential = True

    await rig.seconds(1)

    assert rig.token == "t2"
    assert rig.vault.alive == {"t2"}


@pytest.mark.parametrize("reason", sorted(MAY_PASS))
async def test_an_old_token_that_vault_did_not_revoke_is_revoked_when_vault_is_itself_again(
    reason: FailReason,
) -> None:
    rig = await _logged_in(repeats=False)
    rig.login.new_credential, rig.vault.fail = True, unavailable(reason, "a bad day")

    await rig.seconds(1)
    meanwhile = set(rig.vault.alive)
    rig.vault.fail = None
    await rig.seconds(1)

    assert (meanwhile, rig.vault.alive) == ({"t1", "t2"}, {"t2"})


async def test_an_outage_is_not_asked_every_second_to_end_an_old_token() -> None:
    rig = await _logged_in(repeats=False)
    rig.login.new_credential, rig.vault.fail = True, UNREACHABLE

    await rig.seconds(40)
    tried = len(rig.told("vault.old_token_not_revoked"))
    rig.vault.fail = None
    await rig.seconds(15)

    assert 4 < tried < 10
    assert "t1" not in rig.vault.alive


async def test_an_old_token_that_is_dead_already_is_no_news() -> None:
    rig = await _logged_in(repeats=False)
    rig.login.new_credential, rig.vault.fail = True, SLOW
    await rig.seconds(1)
    rig.vault.alive.discard("t1")  # it was revoked; only the answer was lost
    rig.vault.fail = None

    await rig.seconds(30)

    assert len(rig.told("vault.old_token_not_revoked")) == 1
    assert rig.vault.asked.count("auth/token/revoke-self") == 2


@pytest.mark.parametrize(
    "final",
    [
        unavailable(FailReason.VAULT_FORBIDDEN, "not yours"),
        VaultRefusedError("auth/token/revoke-self", 400, ("no",)),
    ],
)
async def test_an_old_token_is_let_go_when_asking_again_would_change_nothing(final: Exception) -> None:
    rig = await _logged_in(repeats=False)
    rig.login.new_credential, rig.vault.fail = True, final

    await rig.seconds(30)

    assert len(rig.told("vault.old_token_not_revoked")) == 1


async def test_an_old_token_is_not_revoked_any_more_once_its_life_is_over() -> None:
    rig = await _logged_in(repeats=False)
    rig.login.new_credential, rig.vault.fail = True, SLOW

    await rig.seconds(70)
    tried = rig.vault.asked.count("auth/token/revoke-self")
    await rig.seconds(70)

    assert tried > 1
    assert rig.vault.asked.count("auth/token/revoke-self") == tried


async def test_a_credential_that_somebody_read_is_an_alarm_and_the_old_token_stays() -> None:
    rig = await _logged_in(repeats=False)
    rig.login.new_credential = True
    rig.login.failure = CredentialReadByAnotherError("somebody else has read it")

    await rig.seconds(3)

    assert rig.token == "t1"
    assert len(rig.told("vault.secret_id_read_by_another")) == 1
    assert (rig.health.serving, rig.health.credential.serving) == (True, False)


async def test_many_who_find_the_token_dead_cause_one_login() -> None:
    rig = await _logged_in()
    dead = rig.keeper.lease
    rig.vault.alive.clear()

    found = {(await rig.keeper.instead_of(dead)).token for _ in range(5)}

    assert (found, rig.login.logins) == ({"t2"}, 2)


async def test_a_dead_token_without_a_credential_is_an_error_that_says_so() -> None:
    rig = await _logged_in(repeats=False)

    with pytest.raises(UnavailableError) as caught:
        await rig.keeper.instead_of(rig.keeper.lease)

    assert caught.value.reason is FailReason.VAULT_LOGGED_OUT
    assert "new credential" in str(caught.value)


async def test_logins_that_fail_are_spread_and_not_one_for_each_request() -> None:
    rig = await _logged_in()
    rig.login.failure = LoginFailedError("the certificate is not believed")
    dead = rig.keeper.lease

    for _ in range(50):
        with pytest.raises(LoginFailedError):
            await rig.keeper.instead_of(dead if rig.token else None)

    assert rig.login.logins == 2


async def test_an_outage_is_told_once_and_so_is_its_end() -> None:
    rig = await _logged_in()
    rig.vault.fail = UNREACHABLE

    await rig.seconds(20)
    during = rig.health.serving
    rig.vault.fail = None
    await rig.seconds(3)

    assert (during, rig.health.serving) == (False, True)
    assert len(rig.told("vault.not_serving")) == 1
    assert len(rig.told("vault.serving")) == 1


async def test_an_outage_over_the_renewal_is_made_up_for_before_the_token_ends() -> None:
    rig = await _logged_in(repeats=False)
    await rig.seconds(38)
    rig.vault.fail = UNREACHABLE

    await rig.seconds(8)
    rig.vault.fail = None
    await rig.seconds(12)

    assert rig.token == "t1"
    assert rig.keeper.lease is not None
    assert rig.keeper.lease.at > rig.clock.now() - 20_000


async def test_a_clock_that_is_set_back_does_not_let_the_token_end() -> None:
    rig = await _logged_in(repeats=False)
    await rig.seconds(30)
    rig.clock.set(rig.clock.now() - 25_000)

    await rig.seconds(1)

    assert rig.renewals() == 1


async def test_a_token_that_ended_meanwhile_is_replaced_without_anybody_asking() -> None:
    rig = await _logged_in()
    rig.vault.alive.clear()

    await rig.seconds(6)

    assert rig.token == "t2"


async def test_the_end_revokes_the_token() -> None:
    rig = await _logged_in()

    await rig.keeper.close()

    assert rig.vault.alive == set()
    assert rig.keeper.lease is None


async def test_no_repr_shows_a_token() -> None:
    rig = await _logged_in()

    assert "t1" not in repr(rig.keeper.lease)


async def test_a_path_that_is_forbidden_does_not_keep_the_token_from_being_revoked_at_the_end() -> None:
    rig = await _logged_in()
    rig.health.failed("transit/sign/other", unavailable(FailReason.VAULT_FORBIDDEN, "not allowed"))

    await rig.keeper.close()

    assert rig.vault.alive == set()
