"""One JSON-RPC call over HTTP, exactly one request each; refuses to retry, to cache and to ask on its own.

web3's provider is used as bare transport: its own retries would repeat even a broadcast, and its middleware
would ask for the chain id around every call. Every exception of web3, aiohttp and json ends here.
"""

import json
from collections.abc import Mapping
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

import aiohttp
from web3 import AsyncHTTPProvider
from web3.exceptions import Web3Exception
from web3.types import RPCEndpoint

from trader.adapters.evm_rpc.errors import (
    BusyError,
    CallRevertedError,
    NonsenseError,
    NotSentError,
    RpcRefusedError,
)
from trader.domain.errors import ChainUnavailableError
from trader.domain.time import MS_PER_S

_BUSY_STATUS = frozenset({429, 503})
_BUSY_CODES = frozenset({429, -32005, -32429})
_REVERTED_CODE = 3
_MAX_RETRY_AFTER_MS = 5_000


class JsonRpc:
    """A node's HTTP endpoint as an async context manager; `timeout_ms` bounds each request."""

    def __init__(self, url: str, *, timeout_ms: int = 5_000) -> None:
        self._place = urlsplit(url).netloc.rpartition("@")[2]
        timeout = aiohttp.ClientTimeout(total=timeout_ms / MS_PER_S)
        self._provider = AsyncHTTPProvider(
            url, request_kwargs={"timeout": timeout}, exception_retry_configuration=None
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._provider.disconnect()

    async def request(self, method: str, *params: object) -> object:
        """Result of one call; a subclass of ChainUnavailableError for everything else.

        The URL may carry an access key, so error texts name host and port and repeat nothing that the
        transport says about it.
        """
        try:
            answer: object = await self._provider.make_request(RPCEndpoint(method), list(params))
        except aiohttp.ClientConnectorError as error:
            raise NotSentError(
                f"{method}: the node {self._place} refuses the connection ({type(error).__name__})"
            ) from None
        except aiohttp.ClientResponseError as error:
            raise _http_error(method, error) from None
        except TimeoutError:
            raise ChainUnavailableError(f"{method}: no answer of {self._place} in time") from None
        except (aiohttp.ClientError, OSError) as error:
            raise ChainUnavailableError(
                f"{method}: connection to {self._place} lost ({type(error).__name__})"
            ) from None
        except (json.JSONDecodeError, UnicodeDecodeError, Web3Exception, ValueError, TypeError) as error:
            raise NonsenseError(f"{method}: the answer is not JSON-RPC ({type(error).__name__})") from None
        return _result(method, answer)


def _http_error(method: str, error: aiohttp.ClientResponseError) -> ChainUnavailableError:
    text = f"{method}: HTTP status {error.status}"
    if error.status in _BUSY_STATUS:
        wanted = error.headers.get("Retry-After", "") if error.headers is not None else ""
        retry_after_ms = min(int(wanted) * MS_PER_S, _MAX_RETRY_AFTER_MS) if wanted.isdecimal() else None
        return BusyError(text, retry_after_ms)
    return ChainUnavailableError(text)


def _result(method: str, answer: object) -> object:
    if not isinstance(answer, Mapping):
        raise NonsenseError(f"{method}: the answer is no JSON object")
    error = answer.get("error")
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
