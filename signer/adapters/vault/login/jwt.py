"""Login by a token file that somebody else keeps fresh (Kubernetes). Read anew at every login, never kept."""

from dataclasses import dataclass
from pathlib import Path

from signer.adapters.vault.api import VaultRefusedError
from signer.adapters.vault.connection import Question
from signer.adapters.vault.exchange import Exchange
from signer.adapters.vault.lease import Lease, lease_of
from signer.adapters.vault.login.port import LoginFailedError
from signer.domain.errors import UnavailableError
from signer.domain.reasons import FailReason
from signer.domain.time import UnixMs

_MAX_FILE_BYTES = 64 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenFile:
    """`token_file` holds one JWT; `role` is its name in Vault's jwt or kubernetes auth."""

    mount: str
    role: str
    token_file: Path


class JwtLogin:
    """One token file. Logs in again whenever it is needed."""

    name = "jwt"
    repeats = True

    def __init__(self, options: TokenFile) -> None:
        self._options = options

    def has_new_credential(self) -> bool:
        """Never: a fresh file is read when the next login is due, and the old token stays good until then."""
        return False

    async def log_in(self, vault: Exchange, now: UnixMs) -> Lease:
        """Log in with what the file holds now."""
        path = f"auth/{self._options.mount}/login"
        body = {"role": self._options.role, "jwt": self._jwt()}
        try:
            reply = await vault.ask(Question(method="POST", path=path, body=body))
        except VaultRefusedError as error:
            raise self._refused(path, "; ".join(error.texts)) from None
        except UnavailableError as error:
            if error.reason in {FailReason.VAULT_FORBIDDEN, FailReason.VAULT_LOGGED_OUT}:
                raise self._refused(path, "permission denied") from None
            raise
        return lease_of(reply.auth, now)

    def _refused(self, path: str, said: str) -> LoginFailedError:
        return LoginFailedError(
            f"Vault refuses the token of {self._options.token_file} at {path} ({said}); check role "
            f"{self._options.role!r}, and that the file is fresh"
        )

    def _jwt(self) -> str:
        file = self._options.token_file
        try:
            with file.open("rb") as opened:
                found = opened.read(_MAX_FILE_BYTES + 1).decode("ascii").strip()
        except (OSError, UnicodeDecodeError) as error:
            problem = error.strerror if isinstance(error, OSError) else "no ASCII"
            raise LoginFailedError(
                f"{file}: cannot be read: {problem}; allowed is a file with one JWT"
            ) from None
        if not found or len(found) > _MAX_FILE_BYTES:
            raise LoginFailedError(f"{file}: is empty or too long; allowed is a file with one JWT")
        return found
