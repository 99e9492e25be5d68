"""A login that Vault forbids: the secret id is spent, and the next one is read."""

from pathlib import Path

import pytest
from typing_extensions import override

from signer.adapters.vault.connection import Connection, Question, Target
from signer.adapters.vault.errors import status_failure
from signer.adapters.vault.exchange import Exchange, Reply
from signer.adapters.vault.login.approle import AppRole, AppRoleLogin
from signer.adapters.vault.login.port import LoginFailedError
from signer.domain.time import UnixMs
from tests.fakes.signer_world import ListLog


class Unwrapping(Exchange):
    """Opens every wrapping; `forbids` the login."""

    def __init__(self) -> None:
        super().__init__(Connection(Target(address="http://127.0.0.1:1", ca=None)))
        self.forbids = True

    @override
    async def ask(self, question: Question) -> Reply:
        if question.path == "sys/wrapping/lookup":
            return Reply(data={"creation_path": "auth/approle/role/signer/secret-id"})
        if question.path == "sys/wrapping/unwrap":
            return Reply(data={"secret_id": f"of-{question.token}"})
        if self.forbids:
            raise status_failure(question.path, 403, ("permission denied",))
        token = f"token-{(question.body or {})['secret_id']}"
        return Reply(auth={"client_token": token, "lease_duration": 60, "renewable": True})


async def test_a_login_that_is_forbidden_asks_for_another_secret_id_and_takes_it(tmp_path: Path) -> None:
    file, vault = tmp_path / "secret-id.wrapped", Unwrapping()
    options = AppRole(mount="approle", role_id="r", secret_id_file=file)
    login = AppRoleLogin(options, ListLog())
    file.write_text("first")
    with pytest.raises(LoginFailedError, match="permission denied"):
        await login.log_in(vault, UnixMs(0))
    waiting = login.has_new_credential()
    vault.forbids = False
    file.write_text("second")

    lease = await login.log_in(vault, UnixMs(0))

    assert not waiting
    assert lease.token == "token-of-second"
    vault.connection.close()
