"""A login that Vault forbids, or does not answer: the secret id is spent, and the next one is read."""

from pathlib import Path

import pytest
from typing_extensions import override

from signer.adapters.vault.api import VaultRefusedError
from signer.adapters.vault.connection import Connection, Question, Target
from signer.adapters.vault.errors import status_failure, unavailable
from signer.adapters.vault.exchange import Exchange, Reply
from signer.adapters.vault.login.approle import AppRole, AppRoleLogin
from signer.adapters.vault.login.port import CredentialReadByAnotherError, LoginFailedError
from signer.domain.errors import UnavailableError
from signer.domain.reasons import FailReason
from signer.domain.time import UnixMs
from tests.fakes.signer_world import ListLog


class Unwrapping(Exchange):
    """Opens every wrapping; `forbids` the login, or executes what `loses_answer` names and says nothing."""

    def __init__(self, *, forbids: bool = False, loses_answer: str = "") -> None:
        super().__init__(Connection(Target(address="http://127.0.0.1:1", ca=None)))
        self.forbids, self.loses_answer = forbids, loses_answer
        self.used_up: set[str] = set()

    @override
    async def ask(self, question: Question) -> Reply:
        if question.path in self.used_up:
            raise VaultRefusedError(question.path, 400, ("invalid",))
        if question.path == self.loses_answer:
            self.used_up.add(question.path)
            raise unavailable(FailReason.VAULT_SLOW, "busy")
        if question.path == "sys/wrapping/lookup":
            return Reply(data={"creation_path": "auth/approle/role/signer/secret-id"})
        if question.path == "sys/wrapping/unwrap":
            return Reply(data={"secret_id": f"of-{question.token}"})
        if self.forbids:
            raise status_failure(question.path, 403, ("permission denied",))
        token = f"token-{(question.body or {})['secret_id']}"
        return Reply(auth={"client_token": token, "lease_duration": 60, "renewable": True})


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "secret-id.wrapped"
    _put(path, "first")
    return path


def _put(file: Path, wrapping: str) -> None:
    file.write_text(wrapping)


def _login(file: Path) -> AppRoleLogin:
    return AppRoleLogin(AppRole(mount="approle", role_id="r", secret_id_file=file), ListLog())


async def _after_a_lost_answer(file: Path, path: str) -> tuple[AppRoleLogin, Unwrapping]:
    """A login that asked there, was heard, and heard nothing."""
    login, vault = _login(file), Unwrapping(loses_answer=path)
    with pytest.raises(UnavailableError, match="busy"):
        await login.log_in(vault, UnixMs(0))
    return login, vault


async def test_a_login_that_is_forbidden_asks_for_another_secret_id_and_takes_it(file: Path) -> None:
    login, vault = _login(file), Unwrapping(forbids=True)
    with pytest.raises(LoginFailedError, match="permission denied"):
        await login.log_in(vault, UnixMs(0))
    waiting = login.has_new_credential()
    vault.forbids = False
    _put(file, "second")

    lease = await login.log_in(vault, UnixMs(0))

    assert not waiting
    assert lease.token == "token-of-second"
    vault.connection.close()


async def test_a_login_whose_answer_was_lost_says_that_it_may_have_used_the_secret_id_up(file: Path) -> None:
    login, vault = await _after_a_lost_answer(file, "auth/approle/login")

    with pytest.raises(LoginFailedError, match="a login before got no answer"):
        await login.log_in(vault, UnixMs(0))

    assert not login.has_new_credential()
    vault.connection.close()


async def test_the_alarm_says_when_it_may_have_been_a_request_of_ours(file: Path) -> None:
    login, vault = await _after_a_lost_answer(file, "sys/wrapping/unwrap")

    with pytest.raises(CredentialReadByAnotherError, match="somebody else has read it, or a request of ours"):
        await login.log_in(vault, UnixMs(0))
    _put(file, "second")
    with pytest.raises(CredentialReadByAnotherError, match="somebody else has read it, or it is too old"):
        await login.log_in(vault, UnixMs(0))
    vault.connection.close()
