"""The Ethereum application: what we ask, and how its answers are read.

Signs EIP-1559 transactions and plain personal messages only. The parity that it returns is plain for these;
who signed is recovered over our own digest.
"""

from collections.abc import Sequence
from functools import partial

from signer.adapters.ledger_device.application import Application, Key, Path, Request
from signer.adapters.ledger_device.chunks import command, pieces
from signer.decode.evm.envelope import signing_hash, unsigned_bytes
from signer.decode.evm.personal_message import personal_message_digest
from signer.decode.evm.recovery import address_of_public_key, recover_address
from signer.domain.errors import PreconditionError
from signer.domain.reasons import FailReason
from signer.domain.transactions import EvmSignature, UnsignedEvmTransaction

CALLDATA_MAX = 6 * 1024
"""Longest calldata that was seen to work. What a longer one does is not known, so it is not sent."""

MESSAGE_MAX = 1_024
"""Longest personal message that we send: a person reads it on a small screen."""

_CLASS = 0xE0
_ADDRESS, _SIGN, _CONFIGURATION, _MESSAGE = 0x02, 0x04, 0x06, 0x08
_FIRST, _MORE = 0x00, 0x80
_BLIND_SIGNING = 0x01
_CONFIGURATION_BYTES = 4
_SIGNATURE_BYTES = 65
_PUBLIC_KEY_BYTES, _ADDRESS_DIGITS = 65, 40
_LENGTH_BYTES = 4
_MESSAGE_V = (27, 28)
"""Parity 0 and 1 of a personal message."""


def signing_request(key: Key, transaction: UnsignedEvmTransaction) -> Request[EvmSignature]:
    """Ask for a signature. Raises PreconditionError when the calldata is longer than was seen to work."""
    calldata = transaction.payload.data
    if len(calldata) > CALLDATA_MAX:
        text = (
            f"calldata of {len(calldata)} bytes is longer than a Ledger is known to take: "
            f"{CALLDATA_MAX} bytes are allowed"
        )
        raise PreconditionError(FailReason.DEVICE_REFUSES, text)
    digest = signing_hash(transaction)
    return Request(
        key=key,
        commands=_upload(_SIGN, key.path + unsigned_bytes(transaction)),
        answer_bytes=_SIGNATURE_BYTES,
        read=partial(_typed_signature, key, digest),
        shown=f"Tx hash 0x{digest.hex()}",
        needs_blind_signing=bool(calldata),
    )


def message_request(key: Key, text: str) -> Request[EvmSignature]:
    """Ask for a signature over a personal message (EIP-191), which the device shows as text.

    Raises PreconditionError for a text that is too long, or that it would show in hex.
    """
    message = text.encode()
    if not text.isascii() or not text.isprintable() or not 0 < len(message) <= MESSAGE_MAX:
        allowed = f"1 to {MESSAGE_MAX} bytes of printable ASCII are allowed"
        problem = f"a Ledger cannot show a message of {len(message)} bytes as text: {allowed}"
        raise PreconditionError(FailReason.DEVICE_REFUSES, problem)
    return Request(
        key=key,
        commands=_upload(_MESSAGE, key.path + len(message).to_bytes(_LENGTH_BYTES, "big") + message),
        answer_bytes=_SIGNATURE_BYTES,
        read=partial(_message_signature, key, personal_message_digest(text)),
        shown=f"Message {text}",
        needs_blind_signing=False,
    )


def _upload(instruction: int, payload: bytes) -> Sequence[bytes]:
    return [
        command(_CLASS, instruction, _MORE if at else _FIRST, 0, piece)
        for at, piece in enumerate(pieces(payload))
    ]


def _typed_signature(key: Key, digest: bytes, data: bytes) -> EvmSignature:
    return _signature(key, digest, data[0], data[1:])


def _message_signature(key: Key, digest: bytes, data: bytes) -> EvmSignature:
    if data[0] not in _MESSAGE_V:
        raise ValueError(f"its v is {data[0]}; 27 or 28 are allowed")
    return _signature(key, digest, _MESSAGE_V.index(data[0]), data[1:])


def _signature(key: Key, digest: bytes, parity: int, pair: bytes) -> EvmSignature:
    signature = EvmSignature(
        r=int.from_bytes(pair[:32], "big"), s=int.from_bytes(pair[32:], "big"), y_parity=parity
    )
    if recover_address(digest, signature) != key.address:
        raise ValueError("made by another key, or over something else")
    return signature


def _blind_signing(data: bytes) -> bool:
    if len(data) != _CONFIGURATION_BYTES:
        raise ValueError(f"a configuration of {len(data)} bytes; {_CONFIGURATION_BYTES} are allowed")
    return bool(data[0] & _BLIND_SIGNING)


def _ask_address(path: Path) -> bytes:
    return command(_CLASS, _ADDRESS, 0, 0, path)


def _address(data: bytes) -> str:
    key, text = data[1 : 1 + _PUBLIC_KEY_BYTES], data[2 + _PUBLIC_KEY_BYTES :]
    lengths = data[:1] + data[1 + _PUBLIC_KEY_BYTES : 2 + _PUBLIC_KEY_BYTES]
    if lengths != bytes((_PUBLIC_KEY_BYTES, _ADDRESS_DIGITS)) or len(text) != _ADDRESS_DIGITS:
        raise ValueError("not a public key and its address")
    address = address_of_public_key(key[1:])
    if text.decode("ascii").lower() != address[2:]:
        raise ValueError("the address is not that of its public key")
    return address


def _end_dialog(path: Path) -> bytes:
    # The first byte of a message of two: an idle application waits for the second and shows nothing; one that
    # has a dialog or an upload open answers 6980 and goes back to its first screen.
    return command(_CLASS, _MESSAGE, _FIRST, 0, path + (2).to_bytes(_LENGTH_BYTES, "big") + b"-")


ETHEREUM = Application(
    name="Ethereum",
    minimum=(1, 22, 0),
    blind_signing_menu="Ethereum application, Settings, Blind signing: Enabled",
    configuration=command(_CLASS, _CONFIGURATION, 0, 0),
    blind_signing=_blind_signing,
    ask_address=_ask_address,
    address=_address,
    end_dialog=_end_dialog,
)
