"""Every answer and every broken connection has one named reason, and says what to do."""

import ssl

import pytest
import requests
import urllib3.exceptions
from urllib3.connection import HTTPConnection
from urllib3.connectionpool import HTTPSConnectionPool

from signer.adapters.vault.api import VaultRefusedError
from signer.adapters.vault.broken_connection import TooLongError, transport_failure
from signer.adapters.vault.errors import status_failure
from signer.adapters.vault.exchange import failure, read_reply
from signer.domain.errors import UnavailableError
from signer.domain.reasons import FailReason

PATH = "transit/sign/sol-hot"
TOKEN = "hvs.very-secret"


@pytest.mark.parametrize("status", [400, 500])
def test_what_vault_says_is_quoted_in_part(status: int) -> None:
    error = failure(PATH, status, {"errors": ["a" * 10_000] * 100})

    assert len(str(error)) < 1_000


@pytest.mark.parametrize(
    ("status", "text", "reason", "advice"),
    [
        (403, "permission denied", FailReason.VAULT_FORBIDDEN, "bootstrap --check"),
        (403, "2 errors: permission denied, invalid token", FailReason.VAULT_LOGGED_OUT, "new login"),
        (429, "request rate limited", FailReason.VAULT_RATE_LIMITED, "quota"),
        (472, "", FailReason.VAULT_STANDBY, "active node"),
        (473, "", FailReason.VAULT_STANDBY, "active node"),
        (500, "internal error", FailReason.VAULT_FAULTY, "own log"),
        (
            500,
            "local node not active but active cluster node not found",
            FailReason.VAULT_STANDBY,
            "election",
        ),
        (502, "bad gateway", FailReason.VAULT_FAULTY, "own log"),
        (503, "Vault is sealed", FailReason.VAULT_SEALED, "unseal"),
        (418, "teapot", FailReason.VAULT_FAULTY, "own log"),
    ],
)
def test_a_status_has_one_reason_and_says_what_to_do(
    status: int, text: str, reason: FailReason, advice: str
) -> None:
    error = status_failure(PATH, status, (text,))

    assert isinstance(error, UnavailableError)
    assert error.reason is reason
    assert advice in str(error)
    assert PATH in str(error)


@pytest.mark.parametrize("status", [400, 404, 405, 412])
def test_a_no_to_the_content_is_for_the_caller_to_judge(status: int) -> None:
    error = status_failure(PATH, status, ("unsupported",))

    assert isinstance(error, VaultRefusedError)
    assert (error.path, error.status, error.texts) == (PATH, status, ("unsupported",))


@pytest.mark.parametrize(
    ("status", "content", "reason"),
    [
        (200, b"<html>Please log in</html>", FailReason.VAULT_FAULTY),
        (200, b"[1, 2]", FailReason.VAULT_FAULTY),
        (200, b'{"data": ', FailReason.VAULT_FAULTY),
        (200, b"[" * 100_000, FailReason.VAULT_FAULTY),
        (503, b"<html>no backend</html>", FailReason.VAULT_FAULTY),
        (307, b"", FailReason.VAULT_UNREACHABLE),
    ],
)
def test_what_no_vault_says_is_named(status: int, content: bytes, reason: FailReason) -> None:
    with pytest.raises(UnavailableError) as caught:
        read_reply(PATH, status, content)

    assert caught.value.reason is reason


def test_a_batch_of_which_some_items_failed_is_an_answer() -> None:
    reply = read_reply(PATH, 400, b'{"data": {"batch_results": [{"error": "too old"}]}}')

    assert reply.data == {"batch_results": [{"error": "too old"}]}


def _wrapped(cause: Exception) -> Exception:
    pool = HTTPSConnectionPool("vault.internal")
    return urllib3.exceptions.MaxRetryError(pool, f"/v1/{TOKEN}", cause)


def _refused() -> Exception:
    error = urllib3.exceptions.NewConnectionError(HTTPConnection("vault.internal"), "no")
    error.__cause__ = ConnectionRefusedError(111, "Connection refused")
    return error


@pytest.mark.parametrize(
    ("error", "reason", "words"),
    [
        (requests.ConnectTimeout(), FailReason.VAULT_UNREACHABLE, "takes no connection"),
        (requests.ReadTimeout(), FailReason.VAULT_SLOW, "did not answer"),
        (TimeoutError("timed out"), FailReason.VAULT_SLOW, "did not answer"),
        (
            requests.ConnectionError(_wrapped(_refused())),
            FailReason.VAULT_UNREACHABLE,
            "Connection refused",
        ),
        (
            requests.exceptions.SSLError(_wrapped(ssl.SSLCertVerificationError(1, "unable to get issuer"))),
            FailReason.VAULT_UNREACHABLE,
            "vault.ca does not vouch",
        ),
        (requests.exceptions.ChunkedEncodingError(), FailReason.VAULT_UNREACHABLE, "out of reach"),
        (TooLongError(1024), FailReason.VAULT_FAULTY, "more than 1024 bytes"),
    ],
)
def test_a_broken_connection_has_one_reason_and_quotes_no_request(
    error: Exception, reason: FailReason, words: str
) -> None:
    found = transport_failure(error, where="vault.internal:8200", path=PATH)

    assert found.reason is reason
    assert words in str(found)
    assert TOKEN not in str(found)
