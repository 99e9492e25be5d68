"""Login by the TLS client certificate. The files are read anew at every login and when they change."""

from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from signer.adapters.vault.api import VaultRefusedError
from signer.adapters.vault.connection import Question
from signer.adapters.vault.exchange import Exchange
from signer.adapters.vault.lease import Lease, lease_of
from signer.adapters.vault.login.port import LoginFailedError
from signer.domain.errors import ConfigurationError, UnavailableError
from signer.domain.reasons import FailReason
from signer.domain.time import UnixMs

_Stamp: TypeAlias = "tuple[tuple[int, int], ...]"


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientCertificate:
    """PEM files, and the name of the role in Vault's cert auth."""

    mount: str
    role: str
    certificate: Path
    key: Path


class CertificateLogin:
    """One certificate. Vault renews a token only on a connection that shows the certificate of its login."""

    name = "certificate"
    repeats = True

    def __init__(self, options: ClientCertificate) -> None:
        self._options = options
        self._used: _Stamp | None = None

    def has_new_credential(self) -> bool:
        """Whether the files changed since the last login."""
        return self._used is not None and self._stamp() not in {self._used, ()}

    async def log_in(self, vault: Exchange, now: UnixMs) -> Lease:
        """Log in on connections that show what the files hold now."""
        stamp = self._stamp()
        path = f"auth/{self._options.mount}/login"
        try:
            vault.connection.present(self._options.certificate, self._options.key)
            reply = await vault.ask(Question(method="POST", path=path, body={"name": self._options.role}))
        except ConfigurationError as error:
            raise LoginFailedError(f"{error}; put a good pair there") from None
        except VaultRefusedError as error:
            raise self._refused(path, "; ".join(error.texts)) from None
        except UnavailableError as error:
            if error.reason in {FailReason.VAULT_FORBIDDEN, FailReason.VAULT_LOGGED_OUT}:
                raise self._refused(path, "permission denied") from None
            raise
        self._used = stamp
        return lease_of(reply.auth, now)

    def _refused(self, path: str, said: str) -> LoginFailedError:
        return LoginFailedError(
            f"Vault refuses the certificate {self._options.certificate} at {path} ({said}); check role "
            f"{self._options.role!r}, and that the certificate is of its authority and not expired"
        )

    def _stamp(self) -> _Stamp:
        try:
            found = [path.stat() for path in (self._options.certificate, self._options.key)]
        except OSError:
            return ()
        return tuple((each.st_mtime_ns, each.st_size) for each in found)
