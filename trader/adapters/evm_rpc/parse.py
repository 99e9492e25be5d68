"""A node's JSON into our values, strictly; refuses to guess. Pure.

Shapes are those of the Ethereum execution API: quantities without leading zeros, data of whole bytes.
"""

import re
from collections.abc import Collection, Mapping

from trader.adapters.evm_rpc.errors import NonsenseError
from trader.domain.ids import Address
from trader.ports.chain import Block, Receipt, SentTransaction, TransferLog

TRANSFER_TOPIC = "0xddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef"
"""keccak-256 of `Transfer(address,address,uint256)`, ERC-20."""

_QUANTITY = re.compile(r"0x(0|[1-9a-f][0-9a-f]{0,63})")
_HASH = re.compile(r"0x[0-9a-f]{64}")
_DATA = re.compile(r"0x([0-9a-f]{2})*")
_ADDRESS = re.compile(r"0x[0-9a-f]{40}")
_ADDRESS_TOPIC = re.compile(r"0x0{24}[0-9a-f]{40}")
_TRANSFER_TOPICS = 3
_WORD_DIGITS = 64


def quantity(value: object, what: str) -> int:
    """Unsigned integer of at most 256 bits."""
    return int(_matched(_QUANTITY, value, what), 16)


def hash32(value: object, what: str) -> str:
    """`0x` and 64 lower-case hex digits."""
    return _matched(_HASH, value, what)


def data(value: object, what: str) -> bytes:
    """Bytes."""
    return bytes.fromhex(_matched(_DATA, value, what)[2:])


def block(value: object) -> Block:
    """A block header."""
    fields = _object(value, "block")
    return Block(
        number=quantity(fields.get("number"), "block number"),
        hash=hash32(fields.get("hash"), "block hash"),
        timestamp_s=quantity(fields.get("timestamp"), "block timestamp"),
        base_fee_per_gas_wei=quantity(fields.get("baseFeePerGas"), "base fee"),
    )


def receipt(value: object, transaction_hash: str) -> Receipt | None:
    """A receipt; None for null and for one without a block. It must be the one that was asked for."""
    if value is None:
        return None
    fields = _object(value, "receipt")
    if fields.get("blockNumber") is None:
        return None
    answered = hash32(fields.get("transactionHash"), "transaction hash of the receipt")
    if answered != transaction_hash:
        raise NonsenseError(f"the node gave the receipt of {answered} for {transaction_hash}")
    status = quantity(fields.get("status"), "receipt status")
    if status not in (0, 1):
        raise NonsenseError(f"receipt status {status}: 0 or 1 is allowed")
    gas_used = quantity(fields.get("gasUsed"), "gas used")
    gas_price = quantity(fields.get("effectiveGasPrice"), "effective gas price")
    return Receipt(
        transaction_hash=answered,
        block_number=quantity(fields.get("blockNumber"), "block number of the receipt"),
        block_hash=hash32(fields.get("blockHash"), "block hash of the receipt"),
        reverted=status == 0,
        fee_paid_wei=gas_used * gas_price,
        transfers=_transfers(fields.get("logs"), answered),
    )


def sent_transactions(
    value: object, block_number: int, senders: Collection[Address]
) -> tuple[SentTransaction, ...]:
    """Transactions of some senders in a whole block, which must be the one that was asked for."""
    fields = _object(value, f"block {block_number}")
    number, listed = quantity(fields.get("number"), "block number"), fields.get("transactions")
    if number != block_number or not isinstance(listed, list):
        raise NonsenseError(f"the node gave block {number} for {block_number}, or no list of transactions")
    every = (_object(one, "transaction") for one in listed)
    return tuple(
        _sent(one, sender)
        for one in every
        if (sender := Address(_matched(_ADDRESS, one.get("from"), "sender"))) in senders
    )


def _sent(fields: Mapping[str, object], sender: Address) -> SentTransaction:
    to = fields.get("to")
    return SentTransaction(
        transaction_hash=hash32(fields.get("hash"), "transaction hash"),
        sender=sender,
        recipient=None if to is None else Address(_matched(_ADDRESS, to, "recipient")),
        nonce=quantity(fields.get("nonce"), "nonce"),
        value_wei=quantity(fields.get("value"), "value"),
    )


def _transfers(value: object, transaction_hash: str) -> tuple[TransferLog, ...]:
    if not isinstance(value, list):
        raise NonsenseError(f"receipt of {transaction_hash} has no list of logs")
    logs = (_object(log, "log") for log in value)
    return tuple(transfer for log in logs if (transfer := _transfer(log, transaction_hash)) is not None)


def _transfer(log: Mapping[str, object], transaction_hash: str) -> TransferLog | None:
    """An ERC-20 Transfer, or None for another event.

    ERC-721 shares the topic, with a fourth one and no data; it is another event.
    """
    topics = log.get("topics")
    if not isinstance(topics, list):
        raise NonsenseError("a log has no list of topics")
    if log.get("removed") is True:
        raise NonsenseError(f"receipt of {transaction_hash} contains a removed log")
    if len(topics) != _TRANSFER_TOPICS or topics[0] != TRANSFER_TOPIC:
        return None
    words = data(log.get("data"), "data of a Transfer").hex()
    if len(words) != _WORD_DIGITS:
        raise NonsenseError(f"data of a Transfer has {len(words) // 2} bytes: 32 are allowed")
    return TransferLog(
        token=Address(_matched(_ADDRESS, log.get("address"), "address of a log")),
        sender=_address(topics[1]),
        recipient=_address(topics[2]),
        amount=int(words, 16),
    )


def _address(topic: object) -> Address:
    return Address("0x" + _matched(_ADDRESS_TOPIC, topic, "address topic")[26:])


def _object(value: object, what: str) -> Mapping[str, object]:
    if not isinstance(value, Mapping):
        raise NonsenseError(f"the {what} is {str(value)[:60]!r}: a JSON object is allowed")
    return value


def _matched(pattern: re.Pattern[str], value: object, what: str) -> str:
    text = value.lower() if isinstance(value, str) else None
    if text is None or not pattern.fullmatch(text):
        raise NonsenseError(f"the {what} is {str(value)[:80]!r}: {pattern.pattern} is allowed")
    return text
