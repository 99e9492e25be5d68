"""Login by AppRole. The secret id comes wrapped in a file, is opened once, and is never on the disk.

Whoever opens the wrapping first gets the secret id. So a wrapping that was opened before us, or made by
somebody else than AppRole, is an alarm and not a mishap. It rings, too, when it may have been a request of
ours whose answer was lost: nobody can tell, and the text says so.
"""

import re
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from signer.adapters.vault.answers import text
from signer.adapters.vault.api import Body, VaultRefusedError
from signer.adapters.vault.connection import Question
from signer.adapters.vault.exchange import Exchange, Reply
from signer.adapters.vault.lease import Lease, lease_of
from signer.adapters.vault.login.port import CredentialReadByAnotherError, LoginFailedError
from signer.domain.errors import UnavailableError
from signer.domain.reasons import FailReason
from signer.domain.time import MS_PER_S, UnixMs
from signer.ports.events import EventLog

_MAX_FILE_BYTES = 1_024
_TOKEN = re.compile(r"[!-~]{1,512}")
_PATIENCE_MS = 10 * MS_PER_S
"""A busy Vault should not cost a secret id: the old token, if there is one, works meanwhile."""
_EXECUTED_PERHAPS = frozenset({FailReason.VAULT_SLOW, FailReason.VAULT_UNREACHABLE, FailReason.VAULT_FAULTY})


@dataclass(frozen=True, slots=True, kw_only=True)
class AppRole:
    """`secret_id_file` holds a wrapping token; it is deleted after the login."""

    mount: str
    role_id: str
    secret_id_file: Path


class AppRoleLogin:
    """One role. Needs a new file for every login."""

    name = "approle"
    repeats = False

    def __init__(self, options: AppRole, log: EventLog) -> None:
        self._options, self._log = options, log
        self._spent = ""  # digest of the file's content that is of no more use
        self._secret_id = ""  # opened, but Vault went away before the login
        self._unanswered = ""  # digest of what a request without an answer may have used up

    def has_new_credential(self) -> bool:
        """Whether the file has a content that was not tried."""
        if self._secret_id:
            return True
        wrapping = self._wrapping()
        return bool(wrapping) and _digest(wrapping) != self._spent

    async def log_in(self, vault: Exchange, now: UnixMs) -> Lease:
        """Open the wrapping, log in, delete the file. Raises CredentialReadByAnotherError, too."""
        if not self._secret_id:
            self._secret_id = await self._opened(vault)
        body = {"role_id": self._options.role_id, "secret_id": self._secret_id}
        path = f"auth/{self._options.mount}/login"
        try:
            reply = await self._ask_once(vault, self._secret_id, path, body=body)
        except VaultRefusedError as error:
            raise self._refused(path, "; ".join(error.texts)) from None
        except UnavailableError as error:
            if error.reason in {FailReason.VAULT_FORBIDDEN, FailReason.VAULT_LOGGED_OUT}:
                raise self._refused(path, "permission denied") from None
            raise
        lease = lease_of(reply.auth, now)
        self._secret_id = ""
        self._delete()
        return lease

    def _refused(self, path: str, said: str) -> LoginFailedError:
        if self._is_unanswered(self._secret_id):
            said += "; a login before got no answer, and may have used it up (nobody got its token)"
        self._secret_id = ""  # of no more use, and in the way of the next one
        return LoginFailedError(
            f"Vault refuses the AppRole login at {path}: {said}; check role_id and the addresses that the "
            f"role is bound to, and put a new wrapped secret id into {self._options.secret_id_file}"
        )

    async def _opened(self, vault: Exchange) -> str:
        wrapping = self._wrapping()
        file = self._options.secret_id_file
        if not wrapping:
            raise LoginFailedError(
                f"{file} has no wrapped secret id; make one: `vault write -wrap-ttl=5m -f "
                f"-field=wrapping_token auth/{self._options.mount}/role/NAME/secret-id`"
            )
        if not _TOKEN.fullmatch(wrapping):
            self._spent = _digest(wrapping)
            raise LoginFailedError(f"{file} holds something else than one wrapping token; put one there")
        if _digest(wrapping) == self._spent:
            raise LoginFailedError(f"the wrapped secret id of {file} was used or failed; put a new one there")
        try:
            await self._require_origin(vault, wrapping)
            reply = await self._ask_once(vault, wrapping, "sys/wrapping/unwrap", token=wrapping)
        except (VaultRefusedError, _NotOursError) as error:
            self._spent = _digest(wrapping)
            ours = ", or a request of ours that got no answer" if self._is_unanswered(wrapping) else ""
            raise CredentialReadByAnotherError(
                f"the wrapped secret id of {file} cannot be opened ({_reason(error)}): somebody else has "
                f"read it{ours}, or it is too old; destroy it (secret-id-accessor/destroy of the role), find "
                "out who read it, and put a new one there"
            ) from None
        self._spent = _digest(wrapping)
        return text(reply.data, "secret_id")

    async def _ask_once(
        self, vault: Exchange, secret: str, path: str, *, token: str = "", body: Body | None = None
    ) -> Reply:
        """Ask what can be asked once with this secret. Without an answer nobody knows whether it was."""
        question = Question(method="POST", path=path, token=token, body=body, patience_ms=_PATIENCE_MS)
        try:
            return await vault.ask(question)
        except UnavailableError as error:
            if error.reason in _EXECUTED_PERHAPS:
                self._unanswered = _digest(secret)
            raise

    def _is_unanswered(self, secret: str) -> bool:
        return _digest(secret) == self._unanswered

    async def _require_origin(self, vault: Exchange, wrapping: str) -> None:
        """A thief could put what he opened into a wrapping of his own; Vault says who made it."""
        reply = await vault.ask(Question(method="POST", path="sys/wrapping/lookup", body={"token": wrapping}))
        made_by = text(reply.data, "creation_path")
        if not re.fullmatch(rf"auth/{re.escape(self._options.mount)}/role/[^/]+/secret-id", made_by):
            raise _NotOursError(f"it was wrapped by {made_by[:100]}")

    def _wrapping(self) -> str:
        try:
            with self._options.secret_id_file.open("rb") as file:
                content = file.read(_MAX_FILE_BYTES + 1)
        except OSError:
            return ""  # nobody put one there yet
        return content.decode("ascii", errors="replace").strip()

    def _delete(self) -> None:
        try:
            if _digest(self._wrapping()) == self._spent:  # else: a newer one is there already
                self._options.secret_id_file.unlink(missing_ok=True)
        except OSError as error:
            # Spent, so it harms nobody; it is not tried again.
            self._log.event(
                "vault.secret_id_file_not_deleted",
                file=str(self._options.secret_id_file),
                problem=error.strerror or type(error).__name__,
            )


class _NotOursError(Exception):
    """The wrapping was not made by AppRole."""


def _reason(error: Exception) -> str:
    return "; ".join(error.texts) if isinstance(error, VaultRefusedError) else str(error)


def _digest(wrapping: str) -> str:
    return sha256(wrapping.encode()).hexdigest()
