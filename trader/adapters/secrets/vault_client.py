"""Requests to Vault for the trader's own secrets. Blocking, so called in a thread; follows no redirect.

The token lives in memory only. Proxies, tokens, authorities and SSLKEYLOGFILE of the environment are not
looked at, and no answer, of whatever status, is read further than `MAX_ANSWER_BYTES`.
"""

import re
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from typing import TypeAlias

import requests
from hvac.adapters import RawAdapter
from pydantic_core import from_json
from requests.adapters import HTTPAdapter
from typing_extensions import override
from urllib3.exceptions import HTTPError

from trader.domain.errors import ConfigurationError, SecretsUnavailableError
from trader.domain.time import MS_PER_S

Body: TypeAlias = Mapping[str, object]

MAX_ANSWER_BYTES = 2**20
_CHUNK_BYTES = 2**16
_TOKEN = re.compile(r"[!-~]{1,8192}")
"""It goes into a header, and the libraries quote a header that they cannot send."""
_INVALID_TOKEN = "invalid token"  # noqa: S105 - words of Vault's answer


class TokenRefusedError(SecretsUnavailableError):
    """Vault does not know our token any more: log in again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VaultPlace:
    """Which Vault, and how long an answer may take."""

    address: str
    ca_file: Path | None
    namespace: str | None
    timeout_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What Vault said. A lease of 0 s is none; `token` is set by a login only. All of it is secret."""

    data: Mapping[str, object] = field(repr=False)
    lease_id: str = field(default="", repr=False)
    lease_s: int = 0
    renewable: bool = False
    token: str = field(default="", repr=False)


class VaultClient:
    """One connection. Every method raises ConfigurationError or SecretsUnavailableError."""

    def __init__(self, place: VaultPlace, *, certificate: tuple[Path, Path] | None = None) -> None:
        self._place = place
        session = _NoRedirects()
        session.trust_env = False
        # As it came: what is unpacked can be a thousand times as long.
        session.headers["Accept-Encoding"] = "identity"
        session.mount("https://", _NoKeyLog())
        session.verify = str(place.ca_file) if place.ca_file is not None else True
        if certificate is not None:
            session.cert = (str(certificate[0]), str(certificate[1]))
        self._adapter = RawAdapter(
            base_uri=place.address,
            session=session,
            timeout=place.timeout_ms / MS_PER_S,
            allow_redirects=False,
            namespace=place.namespace,
        )

    def use(self, token: str) -> None:
        """Send this token from now on."""
        self._adapter.token = token

    def read(self, path: str) -> Answer:
        """GET."""
        return self._ask("get", path)

    def write(self, path: str, body: Body) -> Answer:
        """POST."""
        return self._ask("post", path, body)

    def unwrap(self, token: str) -> Answer:
        """Open a response-wrapped answer: works once, for whoever comes first."""
        before = self._adapter.token
        self._adapter.token = token
        try:
            return self._ask("post", "sys/wrapping/unwrap", {})
        finally:
            self._adapter.token = before

    def close(self) -> None:
        """Hang up."""
        self._adapter.close()

    def _ask(self, method: str, path: str, body: Body | None = None) -> Answer:
        host = self._place.address
        try:
            # Not json=: a body of None would still be sent as `null`.
            arguments: dict[str, object] = {} if body is None else {"json": dict(body)}
            with self._adapter.request(
                method, f"/v1/{path}", stream=True, raise_exception=False, **arguments
            ) as response:
                content = _content(response)
        except (requests.RequestException, HTTPError) as error:
            # The second kind comes out of an answer that breaks off or stalls.
            raise SecretsUnavailableError(f"Vault at {host} gave no answer: {type(error).__name__}") from None
        except OSError as error:
            # Not the network: a file of ours is not there. The text names it.
            raise ConfigurationError(f"Vault at {host} cannot be asked: {error}") from None
        if response.status_code >= HTTPStatus.MULTIPLE_CHOICES:
            raise _refusal(host, path, response.status_code, _texts(content))
        return _answer(host, path, response.status_code, content)


class _NoRedirects(requests.Session):
    """A session for which no answer is a redirect. `allow_redirects=False` would read it whole first."""

    @override
    def get_redirect_target(self, resp: requests.Response) -> None:
        return None


class _NoKeyLog(HTTPAdapter):
    """Connections whose keys are written nowhere: urllib3's own context obeys SSLKEYLOGFILE."""

    @override
    def init_poolmanager(
        self, connections: int, maxsize: int, block: bool = False, **pool_kwargs: object
    ) -> None:
        # It requires a certificate and the host's name in it; authority and client certificate come by file.
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        super().init_poolmanager(connections, maxsize, block=block, ssl_context=context, **pool_kwargs)


def _refusal(
    host: str, path: str, status: int, texts: tuple[str, ...]
) -> ConfigurationError | SecretsUnavailableError:
    """What a status means; of Vault's words only those are shown that do not repeat the request."""
    if status == HTTPStatus.FORBIDDEN and _INVALID_TOKEN in " ".join(texts):
        return TokenRefusedError(f"Vault at {host} does not know our token any more")
    match status:
        case HTTPStatus.BAD_REQUEST:
            ours = f"refuses {path}: {'; '.join(texts) or 'no reason given'}"
        case HTTPStatus.FORBIDDEN:
            ours = f"refuses us {path}: the trader's policy has to allow it"
        case HTTPStatus.NOT_FOUND:
            ours = f"has nothing at {path}"
        case _:
            return SecretsUnavailableError(f"Vault at {host} {_WAITS.get(status, f'failed with {status}')}")
    return ConfigurationError(f"Vault at {host} {ours}")


_REDIRECTED = range(HTTPStatus.MULTIPLE_CHOICES, HTTPStatus.BAD_REQUEST)
_WAITS = {
    HTTPStatus.SERVICE_UNAVAILABLE: "is sealed: an operator has to unseal it",
    **dict.fromkeys(_REDIRECTED, "sends us elsewhere; redirects are not followed"),
}


def _answer(host: str, path: str, status: int, content: bytes) -> Answer:
    if status == HTTPStatus.NO_CONTENT:
        return Answer(data={})
    parsed = _object(content)
    if parsed is None:
        raise SecretsUnavailableError(f"Vault at {host} answers {path} with something else than its JSON")
    auth = parsed.get("auth")
    if isinstance(auth, dict):
        token = auth.get("client_token")
        return Answer(
            data={},
            token=_login_token(host, token),
            lease_s=_whole(auth.get("lease_duration")),
            renewable=auth.get("renewable") is True,
        )
    data, lease = parsed.get("data"), parsed.get("lease_id")
    return Answer(
        data=data if isinstance(data, dict) else {},
        lease_id=lease if isinstance(lease, str) else "",
        lease_s=_whole(parsed.get("lease_duration")),
        renewable=parsed.get("renewable") is True,
    )


def _login_token(host: str, token: object) -> str:
    if not isinstance(token, str) or not _TOKEN.fullmatch(token):
        raise SecretsUnavailableError(f"Vault at {host} answers a login without a token")
    return token


def _whole(value: object) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else 0


def _content(response: requests.Response) -> bytes:
    """The body, and of one that is too long its beginning."""
    content = bytearray()
    for chunk in response.raw.stream(_CHUNK_BYTES, decode_content=False):
        content += chunk
        if len(content) > MAX_ANSWER_BYTES:
            break
    return bytes(content)


def _object(content: bytes) -> dict[str, object] | None:
    """A JSON object, or None for what is none or too long."""
    if len(content) > MAX_ANSWER_BYTES:
        return None
    try:
        parsed = from_json(content, allow_inf_nan=False)
    except ValueError:
        return None
    return parsed if isinstance(parsed, dict) else None


def _texts(content: bytes) -> tuple[str, ...]:
    """Vault's `errors`; empty for a body that is not Vault's."""
    errors = (_object(content) or {}).get("errors")
    return tuple(str(text) for text in errors) if isinstance(errors, list) else ()
