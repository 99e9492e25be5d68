"""Leased credentials are renewed before they end, and replaced when they cannot be."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from tests.fakes.leasing_vault import LeasingVault, leasing_vault
from tests.fakes.trader_clock import TraderClock
from trader.adapters.secrets.vault import VaultSecrets
from trader.adapters.secrets.vault_client import VaultPlace
from trader.adapters.secrets.vault_login import JwtLogin
from trader.domain.errors import ConfigurationError, SecretsUnavailableError
from trader.domain.secret_refs import VaultReference

_USER = VaultReference(path="database/creds/trader", field="username")
_PASSWORD = VaultReference(path="database/creds/trader", field="password")
_RENEW = "sys/leases/renew"


@pytest_asyncio.fixture
async def vault(tmp_path: Path) -> AsyncIterator[LeasingVault]:
    async with leasing_vault(tmp_path) as started:
        yield started


@pytest.fixture
def clock() -> TraderClock:
    return TraderClock.standing()


@pytest_asyncio.fixture
async def secrets(vault: LeasingVault, clock: TraderClock, tmp_path: Path) -> AsyncIterator[VaultSecrets]:
    (tmp_path / "token").write_text("a platform's token\n", encoding="utf-8")
    place = VaultPlace(address=vault.url, ca_file=vault.ca, namespace=None, timeout_ms=2_000)
    login = JwtLogin(mount="jwt", role="trader", token_file=tmp_path / "token")
    opened = VaultSecrets(place, login, clock)
    yield opened
    await opened.close()


async def _user(secrets: VaultSecrets) -> str:
    return (await secrets.current(_USER)).get_secret_value()


async def test_two_fields_of_one_path_are_of_one_lease(vault: LeasingVault, secrets: VaultSecrets) -> None:
    user, password = await _user(secrets), (await secrets.current(_PASSWORD)).get_secret_value()

    assert (user, password) == ("user-1", "password-1")
    assert vault.made == 1


async def test_a_lease_is_renewed_at_two_thirds_and_not_before(
    vault: LeasingVault, secrets: VaultSecrets, clock: TraderClock
) -> None:
    await _user(secrets)
    clock.advance_ms(59_000)
    before = (await _user(secrets), vault.calls.count(_RENEW))
    clock.advance_ms(2_000)
    after = (await _user(secrets), vault.calls.count(_RENEW))

    assert (before, after) == (("user-1", 0), ("user-1", 1))


@pytest.mark.parametrize("renew_s", [None, 20])
async def test_at_the_end_of_its_longest_life_a_lease_is_replaced(
    vault: LeasingVault, secrets: VaultSecrets, clock: TraderClock, renew_s: int | None
) -> None:
    await _user(secrets)
    vault.renew_s = renew_s
    clock.advance_ms(61_000)

    assert await _user(secrets) == "user-2"


async def test_a_lease_that_cannot_be_renewed_is_replaced_in_time(
    vault: LeasingVault, secrets: VaultSecrets, clock: TraderClock
) -> None:
    vault.renewable = False
    await _user(secrets)
    clock.advance_ms(61_000)

    assert await _user(secrets) == "user-2"
    assert _RENEW not in vault.calls


async def test_a_token_is_renewed_though_no_lease_is_due(
    vault: LeasingVault, secrets: VaultSecrets, clock: TraderClock
) -> None:
    vault.lease_s = 360_000
    await _user(secrets)
    clock.advance_ms(25_000_000)
    renewed = await secrets.renew_if_due()

    assert renewed
    assert "auth/token/renew-self" in vault.calls
    assert await _user(secrets) == "user-1"


async def test_what_was_leased_under_a_token_that_was_replaced_is_leased_anew(
    vault: LeasingVault, secrets: VaultSecrets, clock: TraderClock
) -> None:
    vault.lease_s, vault.renewed_token_s = 360_000, 60
    await _user(secrets)
    clock.advance_ms(25_000_000)
    await secrets.renew_if_due()

    assert vault.calls.count("auth/jwt/login") == 2
    assert await _user(secrets) == "user-2"
    assert _RENEW not in vault.calls


@pytest.mark.parametrize("broken", ["short", "no chunks", "no gzip"])
async def test_an_answer_that_breaks_off_is_no_answer(
    vault: LeasingVault, secrets: VaultSecrets, clock: TraderClock, broken: str
) -> None:
    await _user(secrets)
    vault.lease_s, vault.broken = 90, broken
    clock.advance_ms(80_000)

    assert await _user(secrets) == "user-1"
    with pytest.raises(SecretsUnavailableError, match=r"gave no answer|something else than its JSON"):
        await secrets.current(VaultReference(path="database/creds/other", field="username"))


async def test_a_file_of_the_settings_that_is_not_there_is_named(clock: TraderClock, tmp_path: Path) -> None:
    (tmp_path / "token").write_text("a platform's token\n", encoding="utf-8")
    login = JwtLogin(mount="jwt", role="trader", token_file=tmp_path / "token")
    missing = tmp_path / "nothing.pem"
    place = VaultPlace(address="https://127.0.0.1:1", ca_file=missing, namespace=None, timeout_ms=500)
    with pytest.raises(ConfigurationError, match=str(missing)):
        await VaultSecrets(place, login, clock).current(_USER)


async def test_without_vault_a_lease_is_good_until_it_ends_and_no_longer(
    vault: LeasingVault, secrets: VaultSecrets, clock: TraderClock
) -> None:
    await _user(secrets)
    vault.away = True
    clock.advance_ms(80_000)
    still_good = await _user(secrets)
    clock.advance_ms(11_000)

    assert still_good == "user-1"
    with pytest.raises(SecretsUnavailableError):
        await _user(secrets)
