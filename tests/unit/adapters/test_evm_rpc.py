"""A node's words, strictly: what is not exactly right is nonsense, and a refusal is sorted by class."""

import pytest

from tests.fakes.trader_clock import TraderClock
from trader.adapters.evm_rpc import parse
from trader.adapters.evm_rpc.broadcast import classify
from trader.adapters.evm_rpc.errors import BusyError, NonsenseError, RpcRefusedError
from trader.adapters.evm_rpc.retry import retried
from trader.domain.errors import ChainUnavailableError
from trader.domain.ids import Address
from trader.ports.chain import BroadcastOutcome

HASH, BLOCK = "0x" + "ab" * 32, "0x" + "cd" * 32
TOKEN, FROM, TO = "0x" + "11" * 20, "22" * 20, "33" * 20


def _log(**changes: object) -> dict[str, object]:
    topics = [parse.TRANSFER_TOPIC, "0x" + "00" * 12 + FROM, "0x" + "00" * 12 + TO]
    return {"address": TOKEN, "topics": topics, "data": "0x" + f"{5:064x}", **changes}


def _receipt(**changes: object) -> dict[str, object]:
    return {
        "transactionHash": HASH,
        "blockNumber": "0x10",
        "blockHash": BLOCK,
        "status": "0x1",
        "gasUsed": "0x5208",
        "effectiveGasPrice": "0x3b9aca00",
        "logs": [_log()],
        **changes,
    }


def test_of_a_whole_block_only_what_the_senders_sent_is_read() -> None:
    ours = {"hash": HASH, "from": TOKEN, "to": "0x" + TO, "nonce": "0x7", "value": "0x5", "input": "0x"}
    other = {**ours, "from": "0x" + FROM}
    creation = {**ours, "to": None}
    block = {"number": "0x10", "transactions": [ours, other, creation]}
    found = parse.sent_transactions(block, 16, [Address(TOKEN)])

    assert [(one.nonce, one.value_wei, one.recipient) for one in found] == [(7, 5, "0x" + TO), (7, 5, None)]


@pytest.mark.parametrize(
    "block",
    [
        None,
        {"number": "0x11", "transactions": []},
        {"number": "0x10"},
        {"number": "0x10", "transactions": [HASH]},
    ],
)
def test_a_block_that_is_not_the_one_or_not_whole_is_nonsense(block: object) -> None:
    with pytest.raises(NonsenseError):
        parse.sent_transactions(block, 16, [Address(TOKEN)])


def test_a_receipt_is_read_with_its_fee_and_transfers() -> None:
    receipt = parse.receipt(_receipt(), HASH)

    assert receipt is not None
    assert (receipt.block_number, receipt.reverted, receipt.fee_paid_wei) == (16, False, 21_000 * 10**9)
    (transfer,) = receipt.transfers
    assert (transfer.token, transfer.sender, transfer.recipient) == (TOKEN, "0x" + FROM, "0x" + TO)
    assert transfer.amount == 5


@pytest.mark.parametrize("value", [None, _receipt(blockNumber=None)])
def test_a_receipt_without_a_block_is_none(value: object) -> None:
    assert parse.receipt(value, HASH) is None


def test_other_events_are_left_out() -> None:
    nft = _log(topics=[*_log()["topics"], "0x" + "00" * 32], data="0x")  # type: ignore[misc]  # a list
    other = _log(topics=["0x" + "00" * 32])
    receipt = parse.receipt(_receipt(logs=[nft, other]), HASH)

    assert receipt is not None
    assert receipt.transfers == ()


@pytest.mark.parametrize(
    "value",
    [
        "text",
        _receipt(transactionHash=BLOCK),
        _receipt(status="0x2"),
        _receipt(status=None),
        _receipt(gasUsed="21000"),
        _receipt(gasUsed="0x05208"),
        _receipt(blockHash="0xabc"),
        _receipt(logs=None),
        _receipt(logs=["text"]),
        _receipt(logs=[_log(topics="text")]),
        _receipt(logs=[_log(data="0x05")]),
        _receipt(logs=[_log(data="0x" + "0" * 63)]),
        _receipt(logs=[_log(removed=True)]),
        _receipt(logs=[_log(topics=[parse.TRANSFER_TOPIC, "0x" + "ff" * 32, "0x" + "00" * 32])]),
    ],
    ids=str,
)
def test_a_receipt_that_is_not_exactly_right_is_nonsense(value: object) -> None:
    with pytest.raises(NonsenseError):
        parse.receipt(value, HASH)


@pytest.mark.parametrize("value", [None, 5, "0x", "0x00", "5", "0x" + "f" * 65, True], ids=repr)
def test_a_quantity_has_one_spelling(value: object) -> None:
    with pytest.raises(NonsenseError):
        parse.quantity(value, "nonce")


@pytest.mark.parametrize(
    ("text", "outcome"),
    [
        ("already known", BroadcastOutcome.KNOWN),
        ("transaction already imported", BroadcastOutcome.KNOWN),
        ("nonce too low: next nonce 5, tx nonce 4", BroadcastOutcome.NONCE_USED),
        ("replacement transaction underpriced", BroadcastOutcome.UNDERPRICED),
        ("max fee per gas less than block base fee", BroadcastOutcome.UNDERPRICED),
        ("Insufficient funds for gas * price + value", BroadcastOutcome.REJECTED),
        ("insufficient funds for gas * price + value: balance 0", BroadcastOutcome.REJECTED),
        ("intrinsic gas too low", BroadcastOutcome.REJECTED),
        ("invalid chain id for signer", BroadcastOutcome.REJECTED),
        ("the moon is full", BroadcastOutcome.UNKNOWN),
        ("", BroadcastOutcome.UNKNOWN),
    ],
)
def test_a_nodes_words_are_sorted_in_both_spellings(text: str, outcome: BroadcastOutcome) -> None:
    assert classify(text) is outcome


async def test_reads_are_repeated_twice_and_wait_as_long_as_the_node_asks() -> None:
    clock, asked = TraderClock.standing(), []

    async def read() -> int:
        asked.append(1)
        raise BusyError("busy", 700) if len(asked) == 1 else ChainUnavailableError("lost")

    with pytest.raises(ChainUnavailableError):
        await retried(clock, read)

    assert len(asked) == 3
    assert clock.slept_ms == [700, 200]


async def test_a_definite_answer_is_not_asked_for_again() -> None:
    asked = []

    async def read() -> int:
        asked.append(1)
        raise RpcRefusedError("eth_call", -32602, "invalid params")

    with pytest.raises(RpcRefusedError):
        await retried(TraderClock.standing(), read)

    assert len(asked) == 1
