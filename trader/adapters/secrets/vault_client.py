"""Requests to Vault for the trader's own secrets. Blocking, so called in a thread; follows no redirect.

The token lives in memory only. Proxies, tokens and authorities of the environment are not looked at.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from typing import TypeAlias

import requests
from hvac.adapters import RawAdapter
from hvac.exceptions import Forbidden, InvalidPath, InvalidRequest, VaultDown, VaultError
from pydantic_core import from_json
from urllib3.exceptions import HTTPError

from trader.domain.errors import ConfigurationError, SecretsUnavailableError
from trader.domain.time import MS_PER_S

Body: TypeAlias = Mapping[str, object]

_MAX_ANSWER_BYTES = 2**20
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
        session = requests.Session()
        session.trust_env = False
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
            with self._adapter.request(method, f"/v1/{path}", stream=True, **arguments) as response:
                return _answer(host, path, response)
        except Forbidden as error:
            if _INVALID_TOKEN in " ".join(_texts(error)):
                raise TokenRefusedError(f"Vault at {host} does not know our token any more") from None
            raise ConfigurationError(
                f"Vault at {host} refuses us {path}: the trader's policy has to allow it"
            ) from None
        except InvalidPath:
            raise ConfigurationError(f"Vault at {host} has nothing at {path}") from None
        except InvalidRequest as error:
            text = "; ".join(_texts(error)) or "no reason given"
            raise ConfigurationError(f"Vault at {host} refuses {path}: {text}") from None
        except VaultDown:
            raise SecretsUnavailableError(
                f"Vault at {host} is sealed: an operator has to unseal it"
            ) from None
        except VaultError as error:
            # Its text may repeat the request.
            raise SecretsUnavailableError(f"Vault at {host} failed: {type(error).__name__}") from None
        except (requests.RequestException, HTTPError) as error:
            # The second kind comes out of an answer that breaks off, stalls or cannot be unpacked.
            raise SecretsUnavailableError(f"Vault at {host} gave no answer: {type(error).__name__}") from None
        except OSError as error:
            # Not the network: a file of ours is not there. The text names it.
            raise ConfigurationError(f"Vault at {host} cannot be asked: {error}") from None


def _answer(host: str, path: str, response: requests.Response) -> Answer:
    if HTTPStatus.MULTIPLE_CHOICES <= response.status_code < HTTPStatus.BAD_REQUEST:
        raise SecretsUnavailableError(f"Vault at {host} sends us elsewhere; redirects are not followed")
    if response.status_code == HTTPStatus.NO_CONTENT:
        return Answer(data={})
    raw = response.raw.read(_MAX_ANSWER_BYTES + 1, decode_content=True)
    parsed: object = None
    if len(raw) <= _MAX_ANSWER_BYTES:
        try:
            parsed = from_json(raw, allow_inf_nan=False)
        except ValueError:
            parsed = None
    if not isinstance(parsed, dict):
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
    if not isinstance(token, str) or not token:
        raise SecretsUnavailableError(f"Vault at {host} answers a login without a token")
    return token


def _whole(value: object) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else 0


def _texts(error: VaultError) -> tuple[str, ...]:
    return tuple(str(text) for text in error.errors or ())
