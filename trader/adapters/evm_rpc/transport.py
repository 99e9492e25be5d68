"""One JSON-RPC call over HTTP, exactly one request each; refuses to retry, to cache and to ask on its own.

Plain aiohttp over kept-alive connections, as the signer's (docs/adr/0030): a library's own retries would
repeat even a broadcast. Every exception of the HTTP client and of the parser ends here.
"""

import itertools
import json
import re
from collections.abc import Mapping
from http import HTTPStatus
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

import aiohttp
from pydantic_core import from_json

from trader.adapters.evm_rpc.errors import (
    BusyError,
    CallRevertedError,
    NonsenseError,
    NotSentError,
    RpcRefusedError,
)
from trader.domain.errors import ChainUnavailableError, ConfigurationError
from trader.domain.time import MS_PER_S

_BUSY_STATUS = frozenset({HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE})
_BUSY_CODES = frozenset({429, -32005, -32429})
_REVERTED_CODE = 3
_MAX_RETRY_AFTER_MS = 5_000
_MAX_ANSWER_BYTES = 4 * 2**20
_RETRY_AFTER = re.compile(r"[0-9]{1,9}")  # seconds; the header's other form, a date, is not waited for
_JSON = {"Content-Type": "application/json"}


class JsonRpc:
    """A node's HTTP endpoint as an async context manager; `timeout_ms` bounds each request."""

    def __init__(self, url: str, *, timeout_ms: int = 5_000) -> None:
        self.use(url)
        self._timeout = aiohttp.ClientTimeout(total=timeout_ms / MS_PER_S)
        self._ids = itertools.count(1)
        self._session: aiohttp.ClientSession | None = None

    def use(self, url: str) -> None:
        """Ask there from the next request on: an access key in it was changed. Raises ConfigurationError."""
        place = _place(url)
        self._url, self._place = url, place

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(timeout=self._timeout, headers=_JSON)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._session is not None:
            await self._session.close()

    async def request(self, method: str, *params: object) -> object:
        """Result of one call; a subclass of ChainUnavailableError for everything else.

        The URL may carry an access key, so error texts name host and port and repeat nothing that the
        transport says about it.
        """
        number = next(self._ids)
        question = {"jsonrpc": "2.0", "id": number, "method": method, "params": params}
        try:
            body = await self._post(method, json.dumps(question).encode())
        except aiohttp.ClientConnectorError as error:
            raise NotSentError(
                f"{method}: the node {self._place} refuses the connection ({type(error).__name__})"
            ) from None
        except TimeoutError:
            raise ChainUnavailableError(f"{method}: no answer of {self._place} in time") from None
        except (aiohttp.ClientError, OSError) as error:
            raise ChainUnavailableError(
                f"{method}: connection to {self._place} lost ({type(error).__name__})"
            ) from None
        return _result(method, number, _parsed(method, body))

    async def _post(self, method: str, question: bytes) -> bytes:
        if self._session is None:
            raise RuntimeError("JsonRpc is used outside of its context")
        async with self._session.post(self._url, data=question, allow_redirects=False) as response:
            if response.status != HTTPStatus.OK:
                raise _http_error(method, response)
            body = bytearray()
            async for chunk in response.content.iter_any():
                body += chunk
                if len(body) > _MAX_ANSWER_BYTES:
                    raise NonsenseError(f"{method}: the answer has more than {_MAX_ANSWER_BYTES} bytes")
        return bytes(body)


def _place(url: str) -> str:
    """Host and port. What is no URL is not quoted: it comes out of a secret, and may be one by mistake."""
    try:
        parts = urlsplit(url)
        if parts.scheme in {"http", "https"} and parts.hostname is not None and parts.port != 0:
            return parts.netloc.rpartition("@")[2]
    except ValueError:
        pass
    raise ConfigurationError("the node's URL cannot be parsed; http://… or https://… is allowed")


def _http_error(method: str, response: aiohttp.ClientResponse) -> ChainUnavailableError:
    text = f"{method}: HTTP status {response.status}"
    if response.status in _BUSY_STATUS:
        wanted = response.headers.get("Retry-After", "")
        named = _RETRY_AFTER.fullmatch(wanted) is not None
        return BusyError(text, min(int(wanted) * MS_PER_S, _MAX_RETRY_AFTER_MS) if named else None)
    return ChainUnavailableError(text)


def _parsed(method: str, body: bytes) -> object:
    try:
        # Not json.loads: deep nesting can overflow the C stack there and take the process down.
        parsed: object = from_json(body, allow_inf_nan=False)
    except ValueError:
        raise NonsenseError(f"{method}: the answer is no JSON") from None
    return parsed


def _result(method: str, number: int, answer: object) -> object:
    if not isinstance(answer, Mapping):
        raise NonsenseError(f"{method}: the answer is no JSON object")
    error = answer.get("error")
    if answer.get("id") != number and not (error is not None and answer.get("id") is None):
        raise NonsenseError(f"{method}: the answer belongs to another question (its id differs)")
    if error is not None:
        raise _rpc_error(method, error)
    if "result" not in answer:
        raise NonsenseError(f"{method}: the answer has neither result nor error")
    result: object = answer["result"]
    return result


def _rpc_error(method: str, error: object) -> ChainUnavailableError:
    if not isinstance(error, Mapping):
        return NonsenseError(f"{method}: the error is no JSON object")
    code, message = error.get("code"), str(error.get("message", ""))
    if not isinstance(code, int):
        return NonsenseError(f"{method}: the error has no numeric code")
    if code in _BUSY_CODES:
        return BusyError(f"{method}: the node says {code} {message[:200]}", None)
    if method == "eth_call" and (code == _REVERTED_CODE or "revert" in message.lower()):
        return CallRevertedError(method, code, message)
    return RpcRefusedError(method, code, message)
