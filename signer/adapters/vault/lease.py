"""A token and how long it lives. Pure arithmetic; the token shows in no repr."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from signer.adapters.vault.answers import integer, text
from signer.domain.errors import UnavailableError
from signer.domain.reasons import FailReason
from signer.domain.time import MS_PER_S, UnixMs

_TOKEN = re.compile(r"[!-~]{1,8192}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Lease:
    """What a login or a renewal gave. `ttl_s` 0 never ends; `full_ttl_s` is what the login gave."""

    token: str = field(repr=False)
    at: UnixMs
    ttl_s: int
    full_ttl_s: int
    renewable: bool

    @property
    def ends_at(self) -> UnixMs | None:
        """When the token dies by itself; None for never."""
        return UnixMs(self.at + self.ttl_s * MS_PER_S) if self.ttl_s else None

    def is_over(self, now: UnixMs) -> bool:
        """Whether it died by itself."""
        return self.ends_at is not None and now >= self.ends_at

    @property
    def due_at(self) -> UnixMs | None:
        """When it is to be renewed: two thirds of its life are over. None for never."""
        return UnixMs(self.at + self.ttl_s * MS_PER_S * 2 // 3) if self.ttl_s else None

    @property
    def is_last(self) -> bool:
        """Whether a renewal gave less than the login: max TTL is near, and only a new login helps."""
        return not self.renewable or self.ttl_s * 10 < self.full_ttl_s * 9

    def renewed(self, auth: Mapping[str, object], now: UnixMs) -> "Lease":
        """Return the same token with what a renewal at `now` gave."""
        return Lease(
            token=self.token,
            at=now,
            ttl_s=integer(auth, "lease_duration"),
            full_ttl_s=self.full_ttl_s,
            renewable=auth.get("renewable") is True,
        )


def lease_of(auth: Mapping[str, object], now: UnixMs) -> Lease:
    """Read the answer to a login that was sent at `now`. Raises UnavailableError (VAULT_FAULTY)."""
    ttl_s, token = integer(auth, "lease_duration"), text(auth, "client_token")
    if not _TOKEN.fullmatch(token):
        # It goes into a header, and the libraries quote a header that they cannot send.
        raise UnavailableError(FailReason.VAULT_FAULTY, "the token of Vault's login is no token")
    return Lease(
        token=token,
        at=now,
        ttl_s=ttl_s,
        full_ttl_s=ttl_s,
        renewable=auth.get("renewable") is True,
    )
