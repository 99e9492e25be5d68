"""What the other files of this folder ask of a Vault. Knows no HTTP, no token and no login."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol, TypeAlias, TypeVar

from signer.domain.errors import SignerError

Body: TypeAlias = Mapping[str, object]
Used = TypeVar("Used")


class VaultRefusedError(SignerError):
    """Vault understood the request and said no to its content (400, 404, 405, 412).

    `texts` are Vault's own errors. The caller knows what they mean and raises what a person can act on.
    """

    def __init__(self, path: str, status: int, texts: tuple[str, ...]) -> None:
        super().__init__(f"Vault refused {path} with {status}: {'; '.join(texts) or 'no reason given'}")
        self.path = path
        self.status = status
        self.texts = texts


@dataclass(frozen=True, slots=True, kw_only=True)
class Wrapped:
    """A response that only the one who unwraps it first can read. The token is a secret."""

    token: str = field(repr=False)
    ttl_s: int


class VaultApi(Protocol):
    """Requests to one Vault under one login; `path` is without `v1/`, for example `transit/keys/NAME`.

    Every method raises VaultRefusedError for what Vault says no to, and UnavailableError with a reason of
    its own for what may pass: VAULT_UNREACHABLE (no connection, other certificate, redirect), VAULT_SLOW (no
    answer in time), VAULT_SEALED, VAULT_STANDBY, VAULT_RATE_LIMITED, VAULT_FAULTY (HTML, 5xx, too long, no
    JSON), VAULT_FORBIDDEN (the role lacks the capability), VAULT_LOGGED_OUT (token revoked or expired, login
    failed). Nothing was signed or changed then, except after VAULT_SLOW and VAULT_UNREACHABLE, where a write
    may have happened.
    """

    async def read(self, path: str) -> Mapping[str, object] | None:
        """GET; the `data` of the answer, None for 404."""
        ...

    async def list(self, path: str) -> tuple[str, ...]:
        """LIST; the `keys` of the answer, none for 404."""
        ...

    async def write(self, path: str, body: Body) -> Mapping[str, object]:
        """POST; the `data` of the answer, empty for 204."""
        ...

    async def write_wrapped(self, path: str, body: Body, *, ttl_s: int) -> Wrapped:
        """POST whose answer is response-wrapped."""
        ...

    async def delete(self, path: str) -> None:
        """DELETE; what is not there is deleted already."""
        ...

    async def write_secret(
        self, path: str, body: Body | memoryview, use: Callable[[memoryview], Used]
    ) -> Used:
        """POST whose answer (or body: JSON in locked memory) holds a key; returns what `use` returns.

        `use` is given the whole body of the answer, unparsed, in memory that is locked and that is
        overwritten when `use` ends; it runs in another thread and may write there, too. A session does this
        with `SecretChannels` (secret_channel.py), which makes no Python object of the answer, unlike hvac.
        `use` also sees a 400 with `batch_results`: that is how a batch says that items of it failed.
        """
        ...
