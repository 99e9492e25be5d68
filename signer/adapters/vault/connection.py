"""HTTPS to one Vault from a few threads, each with a session of its own. Retries and redirects nothing.

hvac is synchronous, and a `requests` session is not for two threads at once. Only the given authority is
believed; proxies, netrc files and VAULT_* variables of the machine are not looked at.
"""

import asyncio
import ssl
import threading
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import requests
from hvac.adapters import RawAdapter
from requests.adapters import HTTPAdapter
from typing_extensions import override
from urllib3.connectionpool import HTTPConnectionPool
from urllib3.exceptions import HTTPError

from signer.adapters.vault.broken_connection import TooLongError, transport_failure
from signer.domain.errors import ConfigurationError, SignerError, UnavailableError
from signer.domain.reasons import FailReason

MAX_ANSWER_BYTES = 1024 * 1024
_THREADS = 4
_CHUNK_BYTES = 64 * 1024
_GRACE_S = 0.25
"""A thread knows better than the clock what went wrong, so it may speak first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A Vault. `ca` is the one authority that is believed; None only for http on loopback."""

    address: str
    ca: Path | None
    namespace: str = ""
    timeout_ms: int = 2_000

    @property
    def where(self) -> str:
        """Host and port, for people."""
        return urlsplit(self.address).netloc


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """One request; `path` is without `v1/`. Body and token show in no repr.

    `patience_ms` is for what can be asked only once: an answer may take so long, if the target allows less.
    """

    method: str
    path: str
    token: str = field(default="", repr=False)
    body: Mapping[str, object] | None = field(default=None, repr=False)
    wrap_ttl_s: int | None = None
    patience_ms: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class RawAnswer:
    """Status and bytes; `redirected_to` is the host that a redirect names."""

    status: int
    content: bytes = field(repr=False)
    redirected_to: str = ""


class Connection:
    """A few connections to one Vault, opened when they are needed and kept alive."""

    def __init__(self, target: Target) -> None:
        """Raises ConfigurationError for an authority that cannot be read."""
        self.target = target
        self._tls = _context(target)
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="vault")
        self._local = threading.local()
        self._sessions: list[requests.Session] = []

    @property
    def tls(self) -> ssl.SSLContext | None:
        """What connections are made with; another object after `present`."""
        return self._tls

    def present(self, certificate: Path, key: Path) -> None:
        """Show this client certificate on every connection from now on. Raises ConfigurationError."""
        tls = _context(self.target)
        if tls is None:
            raise ConfigurationError("a login by certificate needs an https address")
        try:
            # A password is never asked for: OpenSSL would ask on the terminal, and everything would wait.
            tls.load_cert_chain(certificate, key, password="")
        except OSError as error:  # ssl.SSLError, too
            problem = error.strerror or type(error).__name__
            raise ConfigurationError(
                f"{certificate} and {key} are no pair of certificate and key in PEM: {problem}"
            ) from error
        self._tls = tls

    async def ask(self, question: Question) -> RawAnswer:
        """Ask once. Raises UnavailableError with VAULT_UNREACHABLE, VAULT_SLOW or VAULT_FAULTY."""
        loop = asyncio.get_running_loop()
        timeout_ms = self._timeout_ms(question)
        try:
            async with asyncio.timeout(timeout_ms / 1_000 + _GRACE_S):
                outcome = await loop.run_in_executor(self._threads, self._outcome, question)
        except TimeoutError:
            outcome = UnavailableError(
                FailReason.VAULT_SLOW,
                f"Vault at {self.target.where} did not answer {question.path} in {timeout_ms} ms",
            )
        if isinstance(outcome, SignerError):
            raise outcome
        return outcome

    def close(self) -> None:
        """End. What is on its way ends by its own timeout."""
        self._threads.shutdown(wait=False, cancel_futures=True)
        for session in self._sessions:
            session.close()

    def _timeout_ms(self, question: Question) -> int:
        return max(self.target.timeout_ms, question.patience_ms)

    def _outcome(self, question: Question) -> RawAnswer | SignerError:
        # An error is returned, not raised: an exception of `requests` would hang on it as its context, and
        # that one holds the request with its token.
        try:
            return self._exchange(question)
        except (requests.RequestException, HTTPError, TooLongError, OSError) as error:
            return transport_failure(error, where=self.target.where, path=question.path)

    def _exchange(self, question: Question) -> RawAnswer:
        response: requests.Response = self._adapter().request(
            question.method,
            f"/v1/{question.path}",
            headers={"X-Vault-Token": question.token} if question.token else {},
            raise_exception=False,
            stream=True,
            wrap_ttl=None if question.wrap_ttl_s is None else f"{question.wrap_ttl_s}s",
            json=None if question.body is None else dict(question.body),
            # Until it is connected, nothing was asked: that needs no patience.
            timeout=(self.target.timeout_ms / 1_000, self._timeout_ms(question) / 1_000),
        )
        with response:
            content = bytearray()
            # As it came: what is unpacked can be a thousand times as long.
            for chunk in response.raw.stream(_CHUNK_BYTES, decode_content=False):
                content += chunk
                if len(content) > MAX_ANSWER_BYTES:
                    raise TooLongError(MAX_ANSWER_BYTES)
        redirected_to = _host(response.headers.get("Location", ""))
        return RawAnswer(status=response.status_code, content=bytes(content), redirected_to=redirected_to)

    def _adapter(self) -> RawAdapter:
        tls = self._tls
        kept: tuple[ssl.SSLContext | None, RawAdapter] | None = getattr(self._local, "kept", None)
        if kept is None or kept[0] is not tls:
            kept = self._local.kept = (tls, self._new_adapter(tls))
        return kept[1]

    def _new_adapter(self, tls: ssl.SSLContext | None) -> RawAdapter:
        session = _NoRedirects()
        self._sessions.append(session)
        session.trust_env = False
        session.headers["Accept-Encoding"] = "identity"
        session.mount("https://", _OneAuthority(tls))
        if self.target.ca is not None:
            session.verify = str(self.target.ca)
        return RawAdapter(
            base_uri=self.target.address,
            session=session,
            namespace=self.target.namespace or None,
            allow_redirects=False,
        )


class _NoRedirects(requests.Session):
    """A session for which no answer is a redirect. `allow_redirects=False` would read it whole first."""

    @override
    def get_redirect_target(self, resp: requests.Response) -> None:
        return None


class _OneAuthority(HTTPAdapter):
    """Connections with our TLS context, which a change of files on the disk does not touch."""

    def __init__(self, tls: ssl.SSLContext | None) -> None:
        self._tls = tls
        super().__init__(max_retries=0)

    @override
    def init_poolmanager(
        self, connections: int, maxsize: int, block: bool = False, **pool_kwargs: object
    ) -> None:
        super().init_poolmanager(connections, maxsize, block=block, ssl_context=self._tls, **pool_kwargs)

    @override
    def cert_verify(self, conn: object, url: str, verify: object, cert: object) -> None:
        """Say no file: urllib3 would add what is in it by now to our context."""

    @override
    def get_connection_with_tls_context(
        self, request: requests.PreparedRequest, verify: object, proxies: object = None, cert: object = None
    ) -> HTTPConnectionPool:
        """Where to, by the URL alone; of which authority a certificate must be is said by the context."""
        pool: HTTPConnectionPool = self.poolmanager.connection_from_url(request.url)
        return pool


def _context(target: Target) -> ssl.SSLContext | None:
    if target.ca is None:
        return None
    # Not create_default_context: it writes the keys of connections into the file that SSLKEYLOGFILE names.
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # requires a certificate, and the host's name in it
    try:
        context.load_verify_locations(cafile=target.ca)
    except OSError as error:  # ssl.SSLError, too
        problem = error.strerror or type(error).__name__
        raise ConfigurationError(
            f"{target.ca}: no authority can be read from it: {problem}; allowed are certificates in PEM"
        ) from error
    return context


def _host(location: str) -> str:
    try:
        return urlsplit(location).netloc
    except ValueError:
        return ""
