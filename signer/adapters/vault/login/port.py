"""What a way to log in is to the rest. Its errors hold no credential."""

from typing import Protocol

from signer.adapters.vault.exchange import Exchange
from signer.adapters.vault.lease import Lease
from signer.domain.errors import UnavailableError
from signer.domain.reasons import FailReason
from signer.domain.time import UnixMs


class LoginFailedError(UnavailableError):
    """The credential is not there, not good, or not believed. Another one is needed."""

    def __init__(self, message: str) -> None:
        super().__init__(FailReason.VAULT_LOGGED_OUT, message)


class CredentialReadByAnotherError(LoginFailedError):
    """A wrapped credential was opened before us: an alarm, for somebody else holds it now."""


class Login(Protocol):
    """One way, with one credential at a time."""

    @property
    def name(self) -> str:
        """`approle`, `certificate` or `jwt`."""
        ...

    @property
    def repeats(self) -> bool:
        """Whether it can log in again without anybody's help."""
        ...

    def has_new_credential(self) -> bool:
        """Whether a credential is there that no login has used yet, and that ought to be used now."""
        ...

    async def log_in(self, vault: Exchange, now: UnixMs) -> Lease:
        """Log in with what is there.

        Raises LoginFailedError when the credential is to blame, another UnavailableError when Vault is.
        """
        ...
