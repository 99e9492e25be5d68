"""Each way to log in, on a real Vault: it works, it lasts, and a bad credential is named."""

import asyncio
from functools import partial
from pathlib import Path

import pytest

from signer.adapters.pki.authority import Authority
from signer.adapters.system_clock import SystemClock
from signer.adapters.vault.lease import Lease
from signer.adapters.vault.login.port import CredentialReadByAnotherError, LoginFailedError
from signer.adapters.vault.session import VaultSession
from tests.integration.vault.session_rig import SELF, Ground, until
from tests.testbed.vault import VaultServer


@pytest.fixture(name="ground")
def _ground(vault_server: VaultServer, tmp_path: Path) -> Ground:
    return Ground(vault=vault_server, folder=tmp_path)


def _swapped(session: VaultSession, before: Lease | None) -> bool:
    return session.lease is not before


def _token(session: VaultSession) -> str:
    assert session.lease is not None
    return session.lease.token


async def _is_alive(vault: VaultServer, token: str) -> bool:
    return (await vault.request("GET", SELF, token=token)).status == 200


@pytest.mark.parametrize("way", ["approle", "certificate", "jwt"])
async def test_a_session_is_logged_in_and_its_end_revokes_the_token(ground: Ground, way: str) -> None:
    login = await {"approle": ground.approle, "certificate": ground.certificate, "jwt": ground.jwt}[way]()

    async with ground.session(login) as session:
        token = _token(session)
        found = await session.read(SELF)
        serving = session.health.serving

    assert found is not None
    assert found["path"] == f"auth/{ground.name}/login"
    assert serving
    assert not await _is_alive(ground.vault, token)


async def test_a_used_secret_id_leaves_no_file(ground: Ground) -> None:
    login = await ground.approle()

    async with ground.session(login):
        left = ground.secret_id_file.exists()

    assert not left


async def test_a_new_secret_id_swaps_the_token_without_a_missed_request(ground: Ground) -> None:
    async with ground.session(await ground.approle()) as session:
        first, reads = _token(session), 0
        await ground.deliver()
        while _token(session) == first:
            reads += await session.read(SELF) is not None
        swapped_after = reads
        while await _is_alive(ground.vault, first):
            reads += await session.read(SELF) is not None

    assert reads > swapped_after > 0
    assert not ground.secret_id_file.exists()


async def test_a_secret_id_that_somebody_opened_first_is_an_alarm_and_signing_goes_on(ground: Ground) -> None:
    async with ground.session(await ground.approle()) as session:
        first = _token(session)
        stolen = await ground.deliver()
        await ground.vault.request("POST", "sys/wrapping/unwrap", token=stolen)
        await until(lambda: not session.health.credential.serving, "the alarm")
        await session.read(SELF)
        token, serving = _token(session), session.health.serving
        await ground.deliver()
        await until(lambda: session.health.credential.serving, "the end of the alarm")

    alarms = ground.told("vault.secret_id_read_by_another")
    assert (token, serving, len(alarms)) == (first, True, 1)
    assert stolen not in str(ground.log.events)


async def test_a_secret_id_that_somebody_wrapped_anew_is_an_alarm(ground: Ground) -> None:
    login = await ground.approle()
    opened = await ground.vault.request(
        "POST", "sys/wrapping/unwrap", token=ground.secret_id_file.read_text().strip()
    )
    again = await ground.vault.wrapped("sys/wrapping/wrap", opened.data)
    ground.secret_id_file.write_text(again)

    with pytest.raises(CredentialReadByAnotherError, match="sys/wrapping/wrap"):
        async with ground.session(login):
            pass


async def test_without_a_secret_id_the_start_says_how_to_make_one(ground: Ground) -> None:
    login = await ground.approle()
    ground.secret_id_file.unlink()

    with pytest.raises(LoginFailedError, match="wrap-ttl"):
        async with ground.session(login):
            pass


async def test_a_file_with_something_else_is_told_once_and_harms_nothing(ground: Ground) -> None:
    async with ground.session(await ground.approle()) as session:
        ground.secret_id_file.write_text('{"secret_id": "hunter2"}')
        await until(lambda: not session.health.credential.serving, "the failed login")

        assert await session.read(SELF) is not None
    assert len(ground.told("vault.login_failed")) == 1
    assert "hunter2" not in str(ground.log.events)


async def test_sixteen_who_ask_while_secret_ids_roll_over_miss_nothing(ground: Ground) -> None:
    async with ground.session(await ground.approle()) as session:
        done = asyncio.Event()

        async def ask() -> int:
            answered = 0
            while not done.is_set():
                answered += await session.write_secret("sys/capabilities-self", {"path": "x"}, len) > 0
                answered += await session.read(SELF) is not None
            return answered

        askers = [asyncio.create_task(ask()) for _ in range(16)]
        for _ in range(3):
            before = session.lease
            await ground.deliver()
            await until(partial(_swapped, session, before), "the new token")
        done.set()
        answered = await asyncio.gather(*askers)

    assert min(answered) > 0
    assert ground.told("vault.not_serving") == []


async def test_a_token_is_renewed_and_replaced_before_max_ttl_without_a_missed_request(
    vault_server: VaultServer, tmp_path: Path
) -> None:
    ground = Ground(vault=vault_server, folder=tmp_path, ttl="3s", max_ttl="6s")

    async with ground.session(await ground.jwt()) as session:
        while len(ground.told("vault.logged_in")) < 2:
            await session.read(SELF)
            await asyncio.sleep(0.02)
        serving = session.health.serving

    assert serving
    assert len(ground.told("vault.renewed")) >= 1
    assert ground.told("vault.not_serving") == []


async def test_a_revoked_token_costs_one_login_and_no_request(ground: Ground) -> None:
    async with ground.session(await ground.certificate()) as session:
        first = _token(session)
        await ground.vault.write("auth/token/revoke", {"token": first})

        found = await asyncio.gather(*(session.read(SELF) for _ in range(8)))
        await ground.vault.write("auth/token/revoke", {"token": _token(session)})
        secret = await session.write_secret("sys/capabilities-self", {"path": "x"}, len)

    assert None not in found
    assert secret > 0
    assert len(ground.told("vault.logged_in")) == 3


async def test_a_renewed_certificate_is_taken_over_by_itself(ground: Ground) -> None:
    async with ground.session(await ground.certificate()) as session:
        first = _token(session)
        ground.issue(ground.authority)
        await until(lambda: _token(session) != first, "another token")

        assert await session.read(SELF) is not None


async def test_a_certificate_of_another_authority_leaves_the_old_token_in_use(ground: Ground) -> None:
    async with ground.session(await ground.certificate()) as session:
        first = _token(session)
        ground.issue(Authority(name="Somebody else", now=SystemClock().now()))
        await until(lambda: not session.health.credential.serving, "the failed login")

        assert await session.read(SELF) is not None
        assert _token(session) == first
    assert "check role 'signer'" in str(ground.told("vault.login_failed"))


async def test_a_token_file_is_read_anew_at_every_login(ground: Ground) -> None:
    login = await ground.jwt()
    ground.sign_token(life_s=-500)
    with pytest.raises(LoginFailedError, match="the file is fresh"):
        async with ground.session(login):
            pass
    ground.sign_token(life_s=600)

    async with ground.session(login) as session:
        assert await session.read(SELF) is not None
