"""The trader's ways to log in to Vault. Each says how often it may be used; none keeps a token."""

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from pydantic import SecretStr

from trader.adapters.secrets.files import read_secret_file
from trader.adapters.secrets.vault_client import Answer, VaultClient
from trader.domain.errors import ConfigurationError, SecretsUnavailableError


class VaultLogin(Protocol):
    """Proves who we are, once for each call."""

    def certificate(self) -> tuple[Path, Path] | None:
        """TLS client certificate and key that the connection needs for it."""
        ...

    def login(self, client: VaultClient) -> Answer:
        """Log in; the answer holds a token. Raises ConfigurationError or SecretsUnavailableError."""
        ...

    def has_new_credential(self) -> bool:
        """Whether somebody delivered one that is to be used now."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class CertificateLogin:
    """By the TLS client certificate of the connection."""

    mount: str
    role: str
    cert_file: Path
    key_file: Path

    def certificate(self) -> tuple[Path, Path] | None:
        """Both files, read anew at each new connection."""
        return self.cert_file, self.key_file

    def login(self, client: VaultClient) -> Answer:
        """Works as often as the certificate is good."""
        return client.write(f"auth/{self.mount}/login", {"name": self.role})

    def has_new_credential(self) -> bool:
        """Nobody delivers one."""
        return False


@dataclass(frozen=True, slots=True, kw_only=True)
class JwtLogin:
    """By a token that the platform keeps in a file, Kubernetes for example."""

    mount: str
    role: str
    token_file: Path

    def certificate(self) -> tuple[Path, Path] | None:
        """None is needed."""
        return None

    def login(self, client: VaultClient) -> Answer:
        """Works as often as the platform renews the file."""
        token = read_secret_file(self.token_file).get_secret_value()
        return client.write(f"auth/{self.mount}/login", {"role": self.role, "jwt": token})

    def has_new_credential(self) -> bool:
        """Nobody delivers one."""
        return False


@dataclass(slots=True, kw_only=True)
class AppRoleLogin:
    """By a response-wrapped secret id in a file, good for one login; the file goes when it was opened."""

    mount: str
    role_id: str
    secret_id_file: Path
    _opened: SecretStr | None = field(init=False, default=None, repr=False)

    def certificate(self) -> tuple[Path, Path] | None:
        """None is needed."""
        return None

    def login(self, client: VaultClient) -> Answer:
        """Raises SecretsUnavailableError as long as no new file is there."""
        if self.has_new_credential():
            self._opened = self._unwrapped(client)
        elif self._opened is None:
            raise SecretsUnavailableError(
                f"{self.secret_id_file}: a new wrapped secret id is needed; "
                "`airlock-signer rotate credentials` makes one"
            )
        body = {"role_id": self.role_id, "secret_id": self._opened.get_secret_value()}
        try:
            answer = client.write(f"auth/{self.mount}/login", body)
        except ConfigurationError:
            self._opened = None
            raise
        # A login without an answer is tried again: the wrapping cannot be opened a second time.
        self._opened = None
        return answer

    def has_new_credential(self) -> bool:
        """A file that is there was not opened yet."""
        try:
            return self.secret_id_file.exists()
        except OSError as error:
            raise ConfigurationError(f"{self.secret_id_file}: {error.strerror}; {_MUST_BE_OURS}") from None

    def _unwrapped(self, client: VaultClient) -> SecretStr:
        wrapping = read_secret_file(self.secret_id_file).get_secret_value()
        if not os.access(self.secret_id_file.parent, os.W_OK):
            raise ConfigurationError(f"{self.secret_id_file}: cannot be deleted; {_MUST_BE_OURS}")
        try:
            secret_id = client.unwrap(wrapping).data.get("secret_id")
        except ConfigurationError as error:
            # A wrapping token works once: somebody else may have read the secret id.
            raise ConfigurationError(
                f"{self.secret_id_file}: cannot be unwrapped; somebody else may have read it: "
                f"revoke it ({error})"
            ) from None
        self.secret_id_file.unlink(missing_ok=True)
        if not isinstance(secret_id, str):
            raise ConfigurationError(f"{self.secret_id_file}: wraps something else than a secret id")
        return SecretStr(secret_id)


_MUST_BE_OURS = "a file in a folder that we may read and write is allowed"
