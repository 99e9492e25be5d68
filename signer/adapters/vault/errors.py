"""What may go wrong with a Vault, and what to do then: one table of statuses, one of broken connections."""

import ssl
from collections.abc import Iterator, Mapping
from types import MappingProxyType

import requests
from urllib3.exceptions import ConnectTimeoutError, NewConnectionError
from urllib3.exceptions import TimeoutError as UrllibTimeoutError

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


class TooLongError(Exception):
    """An answer is longer than we read."""


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


def transport_failure(error: Exception, *, where: str, path: str) -> UnavailableError:
    """Return the error for a request without an answer. Quotes the cause, never the request."""
    causes = list(_causes(error))
    if isinstance(error, TooLongError):
        return no_vault(path, f"more than {error.args[0]} bytes")
    for cause in causes:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return unavailable(
                FailReason.VAULT_UNREACHABLE,
                f"{where} shows a certificate that vault.ca does not vouch for: {_verdict(cause)}",
            )
    timeouts = [each for each in causes if _is_timeout(each)]
    if any(isinstance(each, requests.ConnectTimeout | ConnectTimeoutError) for each in timeouts):
        return unavailable(FailReason.VAULT_UNREACHABLE, f"Vault at {where} takes no connection in time")
    if timeouts:
        return unavailable(FailReason.VAULT_SLOW, f"Vault at {where} did not answer {path} in time")
    return unavailable(FailReason.VAULT_UNREACHABLE, f"Vault at {where} is out of reach: {_words(causes)}")


def _what(path: str, status: int, said: str) -> str:
    return f"Vault answered {path} with {status} ({said or 'no reason given'})"


def _is_timeout(error: BaseException) -> bool:
    # A refused connection is a NewConnectionError, which urllib3 calls a kind of timeout.
    return isinstance(error, TimeoutError | requests.Timeout | UrllibTimeoutError) and not isinstance(
        error, NewConnectionError
    )


def _causes(error: BaseException) -> Iterator[BaseException]:
    """The error and everything below it, however the libraries nested it."""
    seen: set[int] = set()
    waiting: list[object] = [error]
    while waiting:
        each = waiting.pop(0)
        if not isinstance(each, BaseException) or id(each) in seen:
            continue
        seen.add(id(each))
        yield each
        waiting += [getattr(each, "reason", None), *each.args, each.__cause__, each.__context__]


def _words(causes: list[BaseException]) -> str:
    """What the system or OpenSSL says. The libraries' own texts hold URLs and objects."""
    for cause in causes:
        if isinstance(cause, ssl.SSLError):
            return f"TLS: {cause.reason or 'failed'}"
    for cause in causes:
        if isinstance(cause, OSError) and not isinstance(cause, requests.RequestException) and cause.strerror:
            return cause.strerror
    return type(causes[-1]).__name__


def _verdict(error: ssl.SSLCertVerificationError) -> str:
    # Only errors that OpenSSL made have the attribute.
    return str(getattr(error, "verify_message", "") or "it cannot be verified")
