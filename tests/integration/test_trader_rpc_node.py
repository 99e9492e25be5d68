"""The trader's transport against a node that is hostile, broken or busy: an error of ours, never a crash."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import pytest_asyncio
from aiohttp import web

from signer.adapters.json_rpc.transport import Json
from tests.fakes.json_rpc_node import FakeNode, fake_node, text
from trader.adapters.evm_rpc.errors import BusyError, NonsenseError, NotSentError, RpcRefusedError
from trader.adapters.evm_rpc.transport import JsonRpc
from trader.domain.errors import ChainUnavailableError, ConfigurationError


@pytest_asyncio.fixture
async def node() -> AsyncIterator[FakeNode]:
    async with fake_node() as started:
        yield started


@asynccontextmanager
async def rpc_to(node: FakeNode, timeout_ms: int = 5_000) -> AsyncIterator[JsonRpc]:
    url = node.url.replace("//", "//user:secret@") + "/secret-path?key=secret"
    async with JsonRpc(url, timeout_ms=timeout_ms) as rpc:
        yield rpc


@pytest.mark.parametrize(
    "body",
    [
        "[" * 100_000,
        '{"jsonrpc":"2.0","id":ID,"result":' + "[" * 100_000 + "]" * 100_000 + "}",
        '{"a":' * 100_000,
        '{"jsonrpc":"2.0","id":ID,"result":"' + "0" * 5_000_000 + '"}',
        '{"jsonrpc":"2.0","id":ID,"result":NaN}',
        '{"jsonrpc":"2.0","id":ID}',
        '{"jsonrpc":"2.0","id":987654321,"result":"0x1"}',
        '{"jsonrpc":"2.0","id":ID,"error":"text"}',
        '{"jsonrpc":"2.0","id":ID,"error":{"code":"one","message":"text"}}',
        "[]",
        "<html>",
        "",
    ],
    ids=lambda body: body[:60],
)
async def test_an_answer_that_is_not_json_rpc_is_nonsense_and_not_our_end(node: FakeNode, body: str) -> None:
    node.raw = text(body)
    async with rpc_to(node) as rpc:
        with pytest.raises(NonsenseError) as raised:
            await rpc.request("eth_chainId")

    assert "secret" not in str(raised.value)


async def test_a_refusal_keeps_the_nodes_code_and_words(node: FakeNode) -> None:
    node.errors["eth_sendRawTransaction"] = {"code": -32000, "message": "nonce too low"}
    async with rpc_to(node) as rpc:
        with pytest.raises(RpcRefusedError) as raised:
            await rpc.request("eth_sendRawTransaction", "0x00")

    assert (raised.value.code, raised.value.message) == (-32000, "nonce too low")
    assert node.calls == ["eth_sendRawTransaction"]


@pytest.mark.parametrize(
    ("status", "headers", "retry_after_ms"),
    [
        (429, {}, None),
        (429, {"Retry-After": "2"}, 2_000),
        (503, {"Retry-After": "9" * 5_000}, None),
        (503, {"Retry-After": "3600"}, 5_000),
        (503, {"Retry-After": "Sat, 21 Nov 2026 07:28:00 GMT"}, None),
    ],
)
async def test_a_busy_node_is_waited_for_as_long_as_it_names_but_not_for_ever(
    node: FakeNode, status: int, headers: dict[str, str], retry_after_ms: int | None
) -> None:
    async def busy(_: object) -> web.StreamResponse:
        return web.Response(status=status, headers=headers)

    node.raw = busy
    async with rpc_to(node) as rpc:
        with pytest.raises(BusyError) as raised:
            await rpc.request("eth_chainId")

    assert raised.value.retry_after_ms == retry_after_ms


@pytest.mark.parametrize("status", [301, 401, 500])
async def test_another_status_is_unavailable_and_a_redirect_is_not_followed(
    node: FakeNode, status: int
) -> None:
    async def elsewhere(_: object) -> web.StreamResponse:
        return web.Response(status=status, headers={"Location": "http://127.0.0.1:1/"})

    node.raw = elsewhere
    async with rpc_to(node) as rpc:
        with pytest.raises(ChainUnavailableError, match=f"HTTP status {status}"):
            await rpc.request("eth_chainId")


async def test_a_slow_node_is_given_up_in_time(node: FakeNode) -> None:
    node.delay_s = 5
    async with rpc_to(node, timeout_ms=50) as rpc:
        with pytest.raises(ChainUnavailableError, match="in time"):
            await rpc.request("eth_chainId")


async def test_a_refused_connection_says_that_nothing_was_sent() -> None:
    async with JsonRpc("http://user:secret@127.0.0.1:1/secret", timeout_ms=1_000) as rpc:
        with pytest.raises(NotSentError) as raised:
            await rpc.request("eth_sendRawTransaction", "0x00")

    assert "127.0.0.1:1" in str(raised.value)
    assert "secret" not in str(raised.value)


async def test_many_questions_at_once_each_get_their_own_answer(node: FakeNode) -> None:
    async def echo(question: dict[str, Json]) -> web.StreamResponse:
        return web.Response(text=json.dumps({"id": question["id"], "result": question["params"]}))

    node.raw = echo
    async with rpc_to(node) as rpc:
        answers = await asyncio.gather(*(rpc.request("eth_chainId", number) for number in range(50)))

    assert answers == [[number] for number in range(50)]


@pytest.mark.parametrize(
    "url",
    ["hunter2", "https://u:hunter2/x@node", "https://hunter2@n\uff0fode", "wss://node/hunter2", "https://"],
)
async def test_what_is_no_url_is_not_taken_and_not_quoted(node: FakeNode, url: str) -> None:
    async with rpc_to(node) as rpc:
        with pytest.raises(ConfigurationError, match="the node's URL cannot be parsed") as caught:
            rpc.use(url)

    assert "hunter2" not in str(caught.value)
