"""A request without an answer: what was wrong with the connection. Quotes the cause, never the request."""

import ssl
from collections.abc import Iterator

import requests
from urllib3.exceptions import ConnectTimeoutError, NewConnectionError
from urllib3.exceptions import TimeoutError as UrllibTimeoutError

from signer.adapters.vault.errors import no_vault, unavailable
from signer.domain.errors import UnavailableError
from signer.domain.reasons import FailReason


class TooLongError(Exception):
    """An answer is longer than we read."""


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
