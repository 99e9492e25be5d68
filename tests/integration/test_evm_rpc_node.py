"""The signer's view of a chain against a node that answers slowly, wrongly or not at all."""

import asyncio
import itertools
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass

import pytest
from aiohttp import web

from signer.adapters.evm_rpc.chain_view import EvmChainView
from signer.adapters.evm_rpc.pool_quote import PoolQuote
from signer.adapters.json_rpc.transport import Json, JsonRpc
from signer.domain.accounts import Address
from signer.domain.errors import ConfigurationError, UnavailableError
from signer.domain.reasons import FailReason
from tests.fakes import policies
from tests.fakes.clock import FakeClock
from tests.fakes.json_rpc_node import FakeNode, block, fake_node, text
from tests.testbed.processes import until

HASH = "0x" + "ab" * 32
WHO = Address("0x" + "11" * 20)


@dataclass
class Rig:
    node: FakeNode
    rpc: JsonRpc
    chain: EvmChainView
    quotes: PoolQuote
    clock: FakeClock


@pytest.fixture
async def rig() -> AsyncIterator[Rig]:
    async with AsyncExitStack() as stack:
        node = await stack.enter_async_context(fake_node())
        url = node.url.replace("//", "//user:secret@") + "/secret-path?key=secret"
        rpc = await stack.enter_async_context(JsonRpc(url, timeout_ms=300))
        clock = FakeClock()
        chain = EvmChainView(rpc, chain_id=31337, head_max_age_ms=250, clock=clock)
        yield Rig(node, rpc, chain, PoolQuote(rpc), clock)


async def test_the_head_is_asked_for_once_while_it_is_young(rig: Rig) -> None:
    first = await rig.chain.head()
    again = await rig.chain.head()
    rig.clock.set(rig.clock.now() + 251)
    await rig.chain.head()

    assert first is again
    assert rig.node.calls == ["eth_chainId", "eth_getBlockByNumber", "eth_getBlockByNumber"]


async def test_the_next_head_is_asked_for_while_this_one_is_still_believed(rig: Rig) -> None:
    first = await rig.chain.head()
    rig.clock.set(rig.clock.now() + 188)

    meanwhile = await rig.chain.head()
    asked_at = rig.clock.now()

    async def newer() -> bool:
        return await rig.chain.head() is not first

    await until(newer, what="the next head is here")

    assert meanwhile is first
    assert (await rig.chain.head()).seen_at == asked_at
    assert rig.node.calls == ["eth_chainId", "eth_getBlockByNumber", "eth_getBlockByNumber"]


async def test_a_node_that_goes_away_is_noticed_when_the_last_head_is_too_old(rig: Rig) -> None:
    first = await rig.chain.head()
    rig.node.raw = text("away", 503)
    rig.clock.set(rig.clock.now() + 249)
    assert await rig.chain.head() is first
    await asyncio.sleep(0.05)  # the question that nobody waits for fails
    assert await rig.chain.head() is first

    rig.clock.set(rig.clock.now() + 2)

    with pytest.raises(UnavailableError):
        await rig.chain.head()


async def test_a_clock_that_went_back_does_not_keep_an_old_head_alive(rig: Rig) -> None:
    await rig.chain.head()
    rig.clock.set(rig.clock.now() - 10_000)
    await rig.chain.head()

    assert rig.node.calls.count("eth_getBlockByNumber") == 2


async def test_many_who_ask_at_once_share_one_question(rig: Rig) -> None:
    heads = await asyncio.gather(*(rig.chain.head() for _ in range(50)))

    assert len(set(heads)) == 1
    assert rig.node.calls.count("eth_getBlockByNumber") == 1


async def test_one_who_gives_up_does_not_cancel_the_question_of_the_others(rig: Rig) -> None:
    rig.node.delay_s = 0.05
    impatient = asyncio.create_task(rig.chain.head())
    patient = asyncio.create_task(rig.chain.head())
    await asyncio.sleep(0.01)

    impatient.cancel()

    assert (await patient).number > 0


async def test_a_node_on_another_chain_is_refused(rig: Rig) -> None:
    rig.node.chain_id = 1

    with pytest.raises(UnavailableError, match="is on chain 1; 31337 is configured"):
        await rig.chain.head()


async def test_the_chain_is_confirmed_again_after_the_node_was_away(rig: Rig) -> None:
    await rig.chain.head()
    rig.node.raw = text("away", 503)
    rig.clock.set(rig.clock.now() + 1_000)
    with pytest.raises(UnavailableError):
        await rig.chain.head()

    rig.node.raw, rig.node.chain_id = None, 5

    with pytest.raises(UnavailableError, match="is on chain 5"):
        await rig.chain.head()


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ("<html>busy</html>", 200),
        ("", 200),
        ("[]", 200),
        ("null", 200),
        ('{"jsonrpc":"2.0","id":ID}', 200),
        ('{"jsonrpc":"2.0","id":999,"result":"0x7a69"}', 200),
        ('{"jsonrpc":"1.0","id":ID,"result":"0x7a69"}', 200),
        ('{"id":ID,"result":"0x7a69"}', 200),
        ('{"jsonrpc":"2.0","id":ID,"error":"no"}', 200),
        ('{"jsonrpc":"2.0","id":ID,"error":{"code":"x","message":"y"}}', 200),
        ('{"jsonrpc":"2.0","id":ID,"error":{"code":-32000,"message":"secret limit reached"}}', 200),
        ('{"jsonrpc":"2.0","id":ID,"result":null}', 200),
        ('{"jsonrpc":"2.0","id":ID,"result":31337}', 200),
        ('{"jsonrpc":"2.0","id":ID,"result":"31337"}', 200),
        ('{"jsonrpc":"2.0","id":ID,"result":"0x"}', 200),
        ('{"jsonrpc":"2.0","id":ID,"result":"0x07a69"}', 200),
        ('{"jsonrpc":"2.0","id":ID,"result":"-0x1"}', 200),
        ("[" * 100_000, 200),
        ("0" * (4 * 1024 * 1024 + 1), 200),
        ("too many requests", 429),
        ("away", 503),
        ("elsewhere", 302),
    ],
    ids=itertools.count(),
)
async def test_every_answer_that_cannot_be_right_is_unavailable(rig: Rig, body: str, status: int) -> None:
    rig.node.raw = text(body, status)

    with pytest.raises(UnavailableError) as caught:
        await rig.chain.chain_id()

    assert caught.value.reason is FailReason.CHAIN_UNREACHABLE
    assert rig.node.calls == ["eth_chainId"]  # one question, no hidden retry
    assert "user" not in str(caught.value)
    assert "secret-path" not in str(caught.value)
    assert "node 127.0.0.1:" in str(caught.value)


async def test_a_node_that_never_answers_is_unavailable(rig: Rig) -> None:
    rig.node.delay_s = 5

    with pytest.raises(UnavailableError, match=r"no answer within 0\.3 s"):
        await rig.chain.chain_id()


async def test_a_node_that_drops_the_connection_is_unavailable(rig: Rig) -> None:
    async def drop(question: dict[str, Json]) -> web.StreamResponse:
        del question
        raise ConnectionResetError

    rig.node.raw = drop

    with pytest.raises(UnavailableError):
        await rig.chain.chain_id()


async def test_a_node_that_is_not_there_is_unavailable_and_names_its_host() -> None:
    async with JsonRpc("http://user:secret@127.0.0.1:1/secret", timeout_ms=300) as rpc:
        with pytest.raises(UnavailableError) as caught:
            await rpc.call("eth_chainId")

    assert "127.0.0.1:1" in str(caught.value)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("url", ["", "ws://127.0.0.1", "127.0.0.1:8545", "http://", "file:///etc/passwd"])
def test_a_url_that_is_no_node_is_refused_without_quoting_it(url: str) -> None:
    with pytest.raises(ConfigurationError, match="allowed is http"):
        JsonRpc(url, timeout_ms=1)


@pytest.mark.parametrize(
    "wrong",
    [
        {"number": None},
        {"number": "12"},
        {"hash": "0xabc"},
        {"hash": None},
        {"timestamp": "0x"},
        {"baseFeePerGas": None},
        {"baseFeePerGas": "0x" + "f" * 65},
    ],
    ids=str,
)
async def test_a_block_of_the_wrong_shape_is_unavailable(rig: Rig, wrong: dict[str, Json]) -> None:
    rig.node.answers["eth_getBlockByNumber"] = {**block(5), **wrong}

    with pytest.raises(UnavailableError, match="nonsense"):
        await rig.chain.head()


async def test_a_receipt_is_read(rig: Rig) -> None:
    rig.node.answers["eth_getTransactionReceipt"] = receipt()

    found = await rig.chain.receipt(HASH)

    assert found is not None
    assert (found.block_number, found.reverted, found.fee_paid_wei) == (16, False, 21_000 * 7)


@pytest.mark.parametrize(
    "wrong",
    [{"transactionHash": "0x" + "cd" * 32}, {"status": "0x2"}, {"status": None}, {"gasUsed": 5}],
    ids=str,
)
async def test_a_receipt_that_cannot_be_right_is_unavailable(rig: Rig, wrong: dict[str, Json]) -> None:
    rig.node.answers["eth_getTransactionReceipt"] = {**receipt(), **wrong}

    with pytest.raises(UnavailableError, match="nonsense"):
        await rig.chain.receipt(HASH)


async def test_no_receipt_and_no_block_are_none(rig: Rig) -> None:
    rig.node.answers["eth_getBlockByNumber"] = None

    assert await rig.chain.receipt(HASH) is None
    assert await rig.chain.block_hash(7) is None


async def test_a_block_of_another_height_is_unavailable(rig: Rig) -> None:
    rig.node.answers["eth_getBlockByNumber"] = block(8)

    with pytest.raises(UnavailableError, match="another block"):
        await rig.chain.block_hash(7)


async def test_a_count_is_read_at_the_block(rig: Rig) -> None:
    rig.node.answers["eth_getTransactionCount"] = "0x2a"

    assert await rig.chain.transaction_count(WHO, 7) == 42


async def test_a_quote_is_asked_for_once_per_block_and_swap(rig: Rig) -> None:
    head = await rig.chain.head()
    for _ in range(3):
        quote = await rig.quotes.quote(policies.SWAP, policies.V2_ROUTER, head)
        assert quote is not None
        assert quote.amount_out == policies.SWAP.amount_in
    rig.clock.set(rig.clock.now() + 2_000)
    rig.node.answers["eth_getBlockByNumber"] = block(head.number + 1)
    await rig.quotes.quote(policies.SWAP, policies.V2_ROUTER, await rig.chain.head())

    assert rig.node.calls.count("eth_call") == 2


@pytest.mark.parametrize(
    "answer",
    [
        "0x12",
        "0x" + f"{32:064x}{1:064x}{5:064x}",
        "0x" + f"{64:064x}{2:064x}{1_000_000:064x}{5:064x}",
        "0x" + f"{32:064x}{2:064x}{7:064x}{5:064x}",
        "0x" + f"{32:064x}{2:064x}{1_000_000:064x}{5:064x}{0:064x}",
        "nonsense",
        None,
    ],
    ids=itertools.count(),
)
async def test_a_quote_of_the_wrong_shape_is_unavailable_and_not_a_price(rig: Rig, answer: Json) -> None:
    rig.node.answers["eth_call"] = answer

    with pytest.raises(UnavailableError):
        await rig.quotes.quote(policies.SWAP, policies.V2_ROUTER, await rig.chain.head())


@pytest.mark.parametrize(
    "error",
    [
        {
            "code": 3,
            "message": "execution reverted: UniswapV2Library: INSUFFICIENT_LIQUIDITY",
            "data": "0x08",
        },
        {"code": -32000, "message": "execution reverted"},
    ],
    ids=["code 3", "by its text"],
)
async def test_a_call_that_reverts_is_no_price(rig: Rig, error: Json) -> None:
    rig.node.errors["eth_call"] = error

    assert await rig.quotes.quote(policies.SWAP, policies.V2_ROUTER, await rig.chain.head()) is None


async def test_a_pool_that_gives_nothing_or_no_contract_is_no_price(rig: Rig) -> None:
    nothing = "0x" + f"{32:064x}{2:064x}{1_000_000:064x}{0:064x}"
    for number, answer in enumerate(("0x", nothing)):
        rig.node.answers["eth_call"] = answer
        rig.node.answers["eth_getBlockByNumber"] = block(100 + number)
        rig.clock.set(rig.clock.now() + 1_000)

        assert await rig.quotes.quote(policies.SWAP, policies.V2_ROUTER, await rig.chain.head()) is None


async def test_a_node_that_refuses_to_call_is_unavailable_and_asked_again(rig: Rig) -> None:
    head = await rig.chain.head()
    rig.node.errors["eth_call"] = {"code": -32005, "message": "limit exceeded"}
    with pytest.raises(UnavailableError, match="limit exceeded"):
        await rig.quotes.quote(policies.SWAP, policies.V2_ROUTER, head)

    rig.node.errors.clear()

    assert await rig.quotes.quote(policies.SWAP, policies.V2_ROUTER, head) is not None


def receipt() -> dict[str, Json]:
    return {
        "transactionHash": HASH,
        "blockNumber": "0x10",
        "blockHash": "0x" + "cd" * 32,
        "status": "0x1",
        "gasUsed": hex(21_000),
        "effectiveGasPrice": "0x7",
    }
