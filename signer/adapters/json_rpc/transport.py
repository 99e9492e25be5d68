"""JSON-RPC over HTTP, one request per question. Never retries, never believes a malformed answer.

Plain aiohttp instead of web3's provider: that one opens a connection for every request, retries by itself
and does not compare ids (docs/adr/0030).
"""

import itertools
import json
from collections.abc import Callable
from http import HTTPStatus
from types import TracebackType
from typing import Self, TypeAlias, TypeVar

import aiohttp
from pydantic_core import from_json
from yarl import URL

from signer.domain.errors import ConfigurationError, UnavailableError
from signer.domain.reasons import FailReason

Json: TypeAlias = "bool | int | str | list[Json] | dict[str, Json] | None"

Parsed = TypeVar("Parsed")

_MAX_ANSWER_BYTES = 4 * 1024 * 1024
_MAX_QUOTED = 200


class RpcError(Exception):
    """The node understood the question and said no. Never leaves the adapters."""

    def __init__(self, method: str, code: int, message: str, data: str) -> None:
        super().__init__(f"{method}: {code} {message}")
        self.code = code
        self.message = message
        self.data = data


class JsonRpc:
    """One node, as an async context manager. Its errors name the host and never the URL's credentials."""

    def __init__(self, url: str, *, timeout_ms: int) -> None:
        """Raises ConfigurationError when `url` is not http or https."""
        try:
            self._url = URL(url)
        except ValueError:
            self._url = URL()
        if self._url.scheme not in {"http", "https"} or not self._url.host:
            raise ConfigurationError("rpc_url is no URL of a node; allowed is http(s)://host[:port]/…")
        self.host = f"{self._url.host}:{self._url.port}"
        self._timeout = aiohttp.ClientTimeout(total=timeout_ms / 1_000)
        self._ids = itertools.count(1)
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(timeout=self._timeout, trust_env=False)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._session is not None:
            await self._session.close()

    async def call(self, method: str, *params: Json) -> Json:
        """The result. Raises RpcError when the node says no, UnavailableError for everything else."""
        call_id = next(self._ids)
        request = {"jsonrpc": "2.0", "id": call_id, "method": method, "params": list(params)}
        answer = self._parsed(method, await self._post(method, json.dumps(request).encode()))
        if not isinstance(answer, dict) or answer.get("jsonrpc") != "2.0":
            raise self.nonsense(method, "no JSON-RPC 2.0 object")
        error = answer.get("error")
        if answer.get("id") != call_id and not (error is not None and answer.get("id") is None):
            raise self.nonsense(method, "the answer to another question (its id differs)")
        if error is not None:
            raise self._refusal(method, error)
        if "result" not in answer:
            raise self.nonsense(method, "neither result nor error")
        return answer["result"]

    async def read(self, method: str, *params: Json, parse: Callable[[Json], Parsed]) -> Parsed:
        """What `parse` makes of the result. UnavailableError for its ValueError and when the node says no."""
        try:
            return parse(await self.call(method, *params))
        except ValueError as error:
            raise self.nonsense(method, str(error)) from None
        except RpcError as error:
            raise UnavailableError(FailReason.CHAIN_UNREACHABLE, f"node {self.host}: {error}") from None

    def nonsense(self, method: str, what: str) -> UnavailableError:
        """Error for an answer that cannot be right."""
        return self._unreachable(f"{method} answered nonsense: {what}")

    async def _post(self, method: str, body: bytes) -> bytes:
        if self._session is None:
            raise RuntimeError("JsonRpc is used outside of its context")
        headers = {"Content-Type": "application/json"}
        try:
            async with self._session.post(
                self._url, data=body, headers=headers, allow_redirects=False
            ) as response:
                if response.status != HTTPStatus.OK:
                    raise self._unreachable(f"{method}: HTTP status {response.status}")
                content = await response.content.read(_MAX_ANSWER_BYTES + 1)
                while len(content) <= _MAX_ANSWER_BYTES and not response.content.at_eof():
                    content += await response.content.read(_MAX_ANSWER_BYTES + 1 - len(content))
        except TimeoutError:
            raise self._unreachable(f"{method}: no answer within {self._timeout.total} s") from None
        except (aiohttp.ClientError, OSError) as error:
            # The text of such errors may hold the URL, and with it a credential.
            raise self._unreachable(f"{method}: {type(error).__name__}") from None
        if len(content) > _MAX_ANSWER_BYTES:
            raise self.nonsense(method, f"more than {_MAX_ANSWER_BYTES} bytes")
        return content

    def _parsed(self, method: str, content: bytes) -> Json:
        try:
            # Not json.loads: deep nesting can overflow the C stack there and take the process down.
            parsed: Json = from_json(content, allow_inf_nan=False)
        except ValueError:
            raise self.nonsense(method, "no JSON") from None
        return parsed

    def _refusal(self, method: str, error: Json) -> RpcError | UnavailableError:
        if not isinstance(error, dict):
            return self.nonsense(method, "an error that is no object")
        code, message, data = error.get("code"), error.get("message"), error.get("data")
        if not isinstance(code, int) or not isinstance(message, str):
            return self.nonsense(method, "an error without code and message")
        return RpcError(method, code, message[:_MAX_QUOTED], data if isinstance(data, str) else "")

    def _unreachable(self, what: str) -> UnavailableError:
        return UnavailableError(FailReason.CHAIN_UNREACHABLE, f"node {self.host}: {what}")
