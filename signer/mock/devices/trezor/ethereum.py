"""Ethereum on the double: addresses, transactions, messages. Signs what the person confirmed."""

from collections.abc import Sequence
from dataclasses import dataclass

from coincurve import PrivateKey
from trezorlib import messages
from trezorlib.protobuf import MessageType

from signer.decode.evm.eip55 import checksummed
from signer.decode.evm.keccak import keccak256
from signer.decode.evm.rlp import encode_bytes, encode_int, encode_list
from signer.mock.devices.seed import HARDENED
from signer.mock.devices.trezor.screens import confirm, confirm_ethereum, confirm_message
from signer.mock.devices.trezor.state import Answer, DeviceState, Opened, RefusalError, Shown, Workflow

_PURPOSE = 44 + HARDENED
_FOREIGN_COINS = (HARDENED, 501 + HARDENED)
_SHORTEST_PATH, _LONGEST_PATH = 3, 5
_ADDRESS_BYTES = 20
_CHUNK_BYTES = 1024
_DECIMALS = 18
_SHOWN_BYTES = 32
_UINT32_MAX = 2**32 - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class _Request:
    """What both signing messages have in common. `head` and `tail` are the encoded fields around `data`."""

    path: Sequence[int]
    chain_id: int
    first: bytes
    length: int
    head: tuple[bytes, ...]
    tail: tuple[bytes, ...]
    type_byte: bytes
    to: str | None
    value: bytes | None
    fee: int
    """The most that it may cost, wei."""


def get_address(state: DeviceState, message: messages.EthereumGetAddress) -> Workflow:
    """The address of a path, shown to the person if the host wants it."""
    seed = yield from _seed_for(state, message.address_n)
    address = checksummed(seed.evm_address(message.address_n))
    if message.show_display:
        shown = ("Address", address)
        yield from confirm(state, messages.ButtonRequestType.Address, "show_address", shown)
    return messages.EthereumAddress(address=address)


def sign_tx(state: DeviceState, message: messages.EthereumSignTx) -> Workflow:
    """A legacy transaction with replay protection (EIP-155)."""
    head = (
        _number(message.nonce),
        _number(message.gas_price),
        _number(message.gas_limit),
        encode_bytes(_address(message.to)),
        _number(message.value),
    )
    return _sign(
        state,
        _Request(
            path=message.address_n,
            chain_id=message.chain_id,
            first=message.data_initial_chunk or b"",
            length=message.data_length or 0,
            head=head,
            tail=(encode_int(message.chain_id or 0), encode_int(0), encode_int(0)),
            type_byte=b"",
            to=message.to,
            value=message.value,
            fee=_int(message.gas_price) * _int(message.gas_limit),
        ),
    )


def sign_tx_eip1559(state: DeviceState, message: messages.EthereumSignTxEIP1559) -> Workflow:
    """A transaction of type 2 (EIP-1559)."""
    head = (
        encode_int(message.chain_id),
        _number(message.nonce),
        _number(message.max_priority_fee),
        _number(message.max_gas_fee),
        _number(message.gas_limit),
        encode_bytes(_address(message.to)),
        _number(message.value),
    )
    return _sign(
        state,
        _Request(
            path=message.address_n,
            chain_id=message.chain_id,
            first=message.data_initial_chunk or b"",
            length=message.data_length,
            head=head,
            tail=(_access_list(message.access_list),),
            type_byte=b"\x02",
            to=message.to,
            value=message.value,
            fee=_int(message.max_gas_fee) * _int(message.gas_limit),
        ),
    )


def sign_message(state: DeviceState, message: messages.EthereumSignMessage) -> Workflow:
    """A personal message (EIP-191). The answer has v of 27 or 28 at its end."""
    seed = yield from _seed_for(state, message.address_n)
    address = checksummed(seed.evm_address(message.address_n))
    yield from confirm_message(state, address, message.message)
    prefix = b"\x19Ethereum Signed Message:\n" + str(len(message.message)).encode()
    raw = seed.secp256k1(message.address_n).sign_recoverable(keccak256(prefix + message.message), hasher=None)
    return messages.EthereumMessageSignature(address=address, signature=raw[:64] + bytes((27 + raw[64],)))


def _sign(state: DeviceState, request: _Request) -> Workflow:
    seed = yield from _seed_for(state, request.path)
    if not request.chain_id:
        raise RefusalError(messages.FailureType.DataError, "Chain ID out of bounds")
    # The person confirms before the rest of the data is asked for; so does the firmware.
    yield from confirm_ethereum(state, request.length, _fields(request))
    data = request.first
    while len(data) < request.length:
        answer = yield messages.EthereumTxRequest(data_length=min(_CHUNK_BYTES, request.length - len(data)))
        data += _chunk(answer)
    body = encode_list((*request.head, encode_bytes(data), *request.tail))
    return _signature(seed.secp256k1(request.path), keccak256(request.type_byte + body), request)


def _signature(key: PrivateKey, digest: bytes, request: _Request) -> MessageType:
    raw = key.sign_recoverable(digest, hasher=None)
    parity = raw[64]
    replay_protected = 2 * request.chain_id + 35 + parity
    # A v that does not fit into 32 bits travels as the bare parity; the host adds the rest.
    legacy = replay_protected if 2 * request.chain_id + 36 <= _UINT32_MAX else parity
    return messages.EthereumTxRequest(
        signature_v=parity if request.type_byte else legacy, signature_r=raw[:32], signature_s=raw[32:64]
    )


def _chunk(answer: Answer) -> bytes:
    if isinstance(answer, messages.EthereumTxAck) and answer.data_chunk:
        return answer.data_chunk
    raise RefusalError(messages.FailureType.DataError, "Empty data chunk")


def _seed_for(state: DeviceState, path: Sequence[int]) -> Opened:
    usual = _SHORTEST_PATH <= len(path) <= _LONGEST_PATH and path[0] == _PURPOSE
    if not usual or path[1] in _FOREIGN_COINS:
        raise RefusalError(messages.FailureType.DataError, "Forbidden key path")
    return (yield from state.open_seed())


def _address(text: str | None) -> bytes:
    try:
        raw = bytes.fromhex((text or "").removeprefix("0x"))
    except ValueError:
        raw = b"?"
    if len(raw) not in {0, _ADDRESS_BYTES}:
        raise RefusalError(messages.FailureType.DataError, "Safety check failed")
    return raw


def _number(field: bytes | None) -> bytes:
    return encode_int(_int(field))


def _int(field: bytes | None) -> int:
    return int.from_bytes(field or b"", "big")


def _fields(request: _Request) -> Sequence[Shown]:
    """What its screens are about, in their order."""
    shown = request.first[:_SHOWN_BYTES].hex() + ("…" if request.length > _SHOWN_BYTES else "")
    unit = "ETH" if request.chain_id == 1 else f"coins of chain {request.chain_id}"
    amount, fee = (f"{_decimal(wei)} {unit}" for wei in (_int(request.value), request.fee))
    return (
        ("Data", f"{request.length} bytes, 0x{shown}"),
        ("To", checksummed(request.to) if request.to else "new contract"),
        ("Amount", f"{amount}, maximum fee {fee}"),
    )


def _decimal(wei: int) -> str:
    digits = str(wei).rjust(_DECIMALS + 1, "0")
    return f"{digits[:-_DECIMALS]}.{digits[-_DECIMALS:]}".rstrip("0").removesuffix(".")


def _access_list(entries: Sequence[messages.EthereumAccessList] | None) -> bytes:
    return encode_list(
        encode_list(
            (
                encode_bytes(_address(entry.address)),
                encode_list(encode_bytes(key) for key in entry.storage_keys),
            )
        )
        for entry in entries or ()
    )
