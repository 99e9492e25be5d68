"""Blockhashes and nonces over HTTP: from a real runtime, and from a node that lies or dies."""

import itertools
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass

import pytest

from signer.adapters.json_rpc.transport import Json, JsonRpc
from signer.adapters.solana_rpc.blockhashes import SolanaBlockhashes
from signer.domain.accounts import ChainName
from signer.domain.base58 import base58
from signer.domain.errors import PreconditionError, UnavailableError
from signer.domain.reasons import FailReason
from signer.domain.solana import SYSTEM_PROGRAM, SolanaKey
from tests.fakes.json_rpc_node import served, text
from tests.fakes.solana_node import SolanaNode, account_info
from tests.testbed.solana import CHAIN

OWNER = SolanaKey(b"\x05" * 32)
PATIENCE_MS = 10_000


@dataclass
class Rig:
    node: SolanaNode
    blockhashes: SolanaBlockhashes

    def lies(self, method: str, value: Json) -> None:
        self.node.answers[method] = value


@pytest.fixture(name="rig")
async def _rig() -> AsyncIterator[Rig]:
    async with AsyncExitStack() as stack:
        node = await stack.enter_async_context(served(SolanaNode()))
        url = node.url.replace("//", "//user:secret@")
        rpc = await stack.enter_async_context(JsonRpc(url, timeout_ms=PATIENCE_MS))
        yield Rig(node, SolanaBlockhashes(rpc, ChainName(CHAIN)))


async def test_the_latest_blockhash_and_the_height_are_read(rig: Rig) -> None:
    world = rig.node.world
    world.expire()

    latest, height = await rig.blockhashes.latest(), await rig.blockhashes.block_height()

    assert (latest.blockhash, latest.last_valid_block_height) == (world.blockhash, world.height + 150)
    assert height == world.height


async def test_a_nonce_account_is_read_as_the_runtime_wrote_it(rig: Rig) -> None:
    world = rig.node.world
    nonce = SolanaKey(world.open_nonce(OWNER))

    found = await rig.blockhashes.nonce_account(nonce)

    assert (found.value, found.authority) == (world.nonce_value(nonce), OWNER)


async def test_an_account_that_is_no_nonce_is_named(rig: Rig) -> None:
    world = rig.node.world

    for key, problem in ((OWNER, "there is no account"), (bytes(world.payer.pubkey()), "0 bytes; 80")):
        with pytest.raises(PreconditionError, match=problem) as caught:
            await rig.blockhashes.nonce_account(SolanaKey(key))
        assert caught.value.reason is FailReason.NONCE_NOT_USABLE
        assert base58(key) in str(caught.value)


_STATE = b"\x01\0\0\0" + b"\x01\0\0\0" + OWNER + bytes(32) + bytes(8)


@pytest.mark.parametrize(
    ("owner", "data", "problem"),
    [
        (OWNER, _STATE, "belongs to the program"),
        (SYSTEM_PROGRAM, _STATE[:-1], "79 bytes; 80 are allowed"),
        (SYSTEM_PROGRAM, _STATE + b"\0", "81 bytes"),
        (SYSTEM_PROGRAM, b"\0" + _STATE[1:], "its version is 0"),
        (SYSTEM_PROGRAM, _STATE[:4] + b"\0" + _STATE[5:], "its state 0"),
        (SYSTEM_PROGRAM, b"\x02" + _STATE[1:], "its version is 2"),
    ],
    ids=itertools.count(),
)
async def test_only_an_initialized_nonce_of_today_is_one(
    rig: Rig, owner: SolanaKey, data: bytes, problem: str
) -> None:
    rig.lies("getAccountInfo", rig.node.seen(account_info(owner, data)))

    with pytest.raises(PreconditionError, match=problem):
        await rig.blockhashes.nonce_account(OWNER)


async def test_a_node_on_another_cluster_is_refused(rig: Rig) -> None:
    mainnet = "5eykt4UsFv8P8NJdTREpY1vzqKqZKvdpKuc147dw2N9d"
    rig.lies("getGenesisHash", mainnet)

    for ask in (rig.blockhashes.latest, rig.blockhashes.block_height):
        with pytest.raises(UnavailableError, match=f"is on solana:{mainnet[:32]}; {CHAIN} is configured"):
            await ask()

    assert rig.node.calls == ["getGenesisHash"] * 2


async def test_the_cluster_is_confirmed_again_after_the_node_was_away(rig: Rig) -> None:
    await rig.blockhashes.latest()
    rig.node.raw = text("away", 503)
    with pytest.raises(UnavailableError):
        await rig.blockhashes.latest()
    rig.node.raw = None

    rig.lies("getGenesisHash", base58(OWNER))

    with pytest.raises(UnavailableError, match="is configured"):
        await rig.blockhashes.latest()


def _latest(blockhash: Json, height: Json) -> dict[str, Json]:
    return {"context": {"slot": 1}, "value": {"blockhash": blockhash, "lastValidBlockHeight": height}}


_GOOD = base58(OWNER)


@pytest.mark.parametrize(
    "answer",
    [
        None,
        [],
        "x",
        {},
        {"value": None},
        {"value": []},
        _latest(None, 1),
        _latest("", 1),
        _latest("0OIl", 1),
        _latest(base58(bytes(31)), 1),
        _latest(base58(b"\xff" * 33), 1),
        _latest(_GOOD, None),
        _latest(_GOOD, "1"),
        _latest(_GOOD, True),
        _latest(_GOOD, -1),
        _latest(_GOOD, 2**64),
    ],
    ids=itertools.count(),
)
async def test_a_blockhash_of_the_wrong_shape_is_unavailable(rig: Rig, answer: Json) -> None:
    rig.lies("getLatestBlockhash", answer)

    with pytest.raises(UnavailableError, match="getLatestBlockhash answered nonsense"):
        await rig.blockhashes.latest()


@pytest.mark.parametrize("answer", [None, "7", True, -1, 2**64, {}], ids=itertools.count())
async def test_a_height_of_the_wrong_shape_is_unavailable(rig: Rig, answer: Json) -> None:
    rig.lies("getBlockHeight", answer)

    with pytest.raises(UnavailableError, match="nonsense"):
        await rig.blockhashes.block_height()


@pytest.mark.parametrize(
    "value",
    [
        {},
        {"value": "x"},
        {"value": {"owner": _GOOD, "data": "text"}},
        {"value": {"owner": _GOOD, "data": ["!!", "base64"]}},
        {"value": {"owner": _GOOD, "data": ["", "base58"]}},
        {"value": {"owner": _GOOD, "data": {"parsed": {}}}},
        {"value": {"owner": 5, "data": ["", "base64"]}},
        {"value": {"owner": "x", "data": ["", "base64"]}},
    ],
    ids=itertools.count(),
)
async def test_an_account_of_the_wrong_shape_is_unavailable(rig: Rig, value: Json) -> None:
    rig.lies("getAccountInfo", value)

    with pytest.raises(UnavailableError, match="getAccountInfo answered nonsense"):
        await rig.blockhashes.nonce_account(OWNER)


async def test_an_error_of_the_node_is_unavailable_and_shows_no_credential(rig: Rig) -> None:
    await rig.blockhashes.latest()
    rig.node.errors["getLatestBlockhash"] = {"code": -32005, "message": "Node is behind by 42 slots"}

    with pytest.raises(UnavailableError, match="behind by 42 slots") as caught:
        await rig.blockhashes.latest()

    assert caught.value.reason is FailReason.CHAIN_UNREACHABLE
    assert "secret" not in str(caught.value)
