"""What may go wrong with a Vault, and what to do then, in one table of statuses."""

from collections.abc import Mapping
from types import MappingProxyType

from signer.adapters.vault.api import VaultRefusedError
from signer.domain.errors import SignerError, UnavailableError
from signer.domain.reasons import FailReason

_ADVICE: Mapping[FailReason, str] = MappingProxyType(
    {
        FailReason.VAULT_UNREACHABLE: "see whether Vault runs, and the network on the way to it",
        FailReason.VAULT_SLOW: "see what keeps Vault busy, or raise vault.timeout_ms",
        FailReason.VAULT_SEALED: "Vault is sealed: an operator has to unseal it",
        FailReason.VAULT_STANDBY: "this node is not the active one: wait for the election, or name "
        "the active node (or a load balancer that finds it) in vault.address",
        FailReason.VAULT_RATE_LIMITED: "a quota of Vault is used up: raise it, or ask less",
        FailReason.VAULT_FAULTY: "see Vault's own log, and whether vault.address is a Vault at all",
        FailReason.VAULT_FORBIDDEN: "the role's policy lacks this path: "
        "`airlock-signer vault bootstrap --check` finds the difference",
        FailReason.VAULT_LOGGED_OUT: "the token is revoked or expired: a new login is needed",
    }
)

_BY_STATUS: Mapping[int, FailReason] = MappingProxyType(
    {
        403: FailReason.VAULT_FORBIDDEN,
        429: FailReason.VAULT_RATE_LIMITED,
        472: FailReason.VAULT_STANDBY,
        473: FailReason.VAULT_STANDBY,
        503: FailReason.VAULT_SEALED,
    }
)
_BY_TEXT: tuple[tuple[int, str, FailReason], ...] = (
    # A missing capability and a dead token have the same status; only the text tells them apart.
    (403, "invalid token", FailReason.VAULT_LOGGED_OUT),
    (403, "bad token", FailReason.VAULT_LOGGED_OUT),
    (500, "node not active", FailReason.VAULT_STANDBY),
    (503, "node not active", FailReason.VAULT_STANDBY),
    (500, "standby", FailReason.VAULT_STANDBY),
    (503, "standby", FailReason.VAULT_STANDBY),
    (500, "is sealed", FailReason.VAULT_SEALED),
)
_REFUSALS = frozenset({400, 404, 405, 412})


def unavailable(reason: FailReason, what: str) -> UnavailableError:
    """Return an error that says what happened and what to do."""
    return UnavailableError(reason, f"{what}; {_ADVICE[reason]}")


def status_failure(path: str, status: int, texts: tuple[str, ...]) -> SignerError:
    """Return the error for an answer other than 200 and 204; `texts` are Vault's own errors."""
    said = "; ".join(" ".join(text.split()) for text in texts)[:300]
    if status in _REFUSALS:
        return VaultRefusedError(path, status, texts)
    for on, part, reason in _BY_TEXT:
        if status == on and part in said:
            return unavailable(reason, _what(path, status, said))
    reason = _BY_STATUS.get(status, FailReason.VAULT_FAULTY)
    return unavailable(reason, _what(path, status, said))


def redirected(path: str, host: str) -> UnavailableError:
    """Return the error for a redirect. Who follows one hands the token to whoever wrote it."""
    where = f" to {host[:100]}" if host else ""
    return UnavailableError(
        FailReason.VAULT_UNREACHABLE,
        f"Vault sends {path} elsewhere{where}, and no redirect is followed; name the active node (or a load "
        "balancer that finds it) in vault.address",
    )


def no_vault(path: str, what: str) -> UnavailableError:
    """Return the error for an answer that no Vault gives."""
    return unavailable(FailReason.VAULT_FAULTY, f"what answers {path} is no Vault: {what}")


def _what(path: str, status: int, said: str) -> str:
    return f"Vault answered {path} with {status} ({said or 'no reason given'})"
