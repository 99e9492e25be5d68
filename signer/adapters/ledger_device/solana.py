"""The Solana application: what we ask, and how its answers are read. Signs whole messages only."""

from collections.abc import Sequence
from functools import partial
from hashlib import sha256

from signer.adapters.ledger_device.application import Application, Key, Path, Request
from signer.adapters.ledger_device.chunks import command, pieces
from signer.decode.solana.offchain_message import offchain_message
from signer.decode.solana.signature import require_signature
from signer.domain.base58 import base58, base58_key
from signer.domain.errors import PreconditionError
from signer.domain.policy_statement import Ed25519Signature
from signer.domain.reasons import FailReason
from signer.domain.solana import SignedSolanaMessage, SolanaKey

MESSAGE_MAX = 2_600
"""Longest message that was seen to work; a transaction of the network has 1,232 bytes at most."""

_CLASS = 0xE0
_CONFIGURATION, _PUBLIC_KEY, _SIGN, _SIGN_OFFCHAIN = 0x04, 0x05, 0x06, 0x07
_CONFIRM = 0x01
_EXTENDS, _MORE_FOLLOWS = 0x01, 0x02
_ONE_SIGNER = b"\x01"
_SIGNATURE_BYTES, _KEY_BYTES = 64, 32
_CONFIGURATION_BYTES = 5


def signing_request(key: Key, message: bytes) -> Request[SignedSolanaMessage]:
    """Ask for a signature over a whole message.

    Raises PreconditionError when the message is empty or longer than was seen to work.
    """
    if not 0 < len(message) <= MESSAGE_MAX:
        text = f"a message of {len(message)} bytes; a Ledger is known to take 1 to {MESSAGE_MAX}"
        raise PreconditionError(FailReason.DEVICE_REFUSES, text)
    return Request(
        key=key,
        commands=_upload(_SIGN, key, message),
        answer_bytes=_SIGNATURE_BYTES,
        read=partial(_signed, SolanaKey(base58_key(key.address)), message),
        shown=f"Message Hash {base58(sha256(message).digest())}, or the transfer in words",
        # Only the application knows what it can show in words: it refuses the rest by a word of its own.
        needs_blind_signing=False,
    )


def message_request(key: Key, text: str) -> Request[Ed25519Signature]:
    """Ask for a signature over an off-chain message, which the device shows as text.

    Raises PreconditionError for a text that is too long, or that it would not show as text.
    """
    public_key = SolanaKey(base58_key(key.address))
    try:
        message = offchain_message(text, public_key)
    except ValueError as error:
        raise PreconditionError(FailReason.DEVICE_REFUSES, f"a Ledger cannot show it: {error}") from None
    return Request(
        key=key,
        commands=_upload(_SIGN_OFFCHAIN, key, message),
        answer_bytes=_SIGNATURE_BYTES,
        read=partial(_signed_offchain, public_key, message),
        shown=f"Message {text}",
        needs_blind_signing=False,
    )


def _upload(instruction: int, key: Key, message: bytes) -> Sequence[bytes]:
    cut = pieces(_ONE_SIGNER + key.path + message)
    last = len(cut) - 1
    return [
        command(_CLASS, instruction, _CONFIRM, _EXTENDS * (at > 0) | _MORE_FOLLOWS * (at < last), piece)
        for at, piece in enumerate(cut)
    ]


def _signed_offchain(public_key: SolanaKey, message: bytes, data: bytes) -> Ed25519Signature:
    require_signature(public_key, message, data)
    return Ed25519Signature(data)


def _signed(public_key: SolanaKey, message: bytes, data: bytes) -> SignedSolanaMessage:
    require_signature(public_key, message, data)
    return SignedSolanaMessage(message=message, signature=data)


def _blind_signing(data: bytes) -> bool:
    # Newer applications append to the five bytes.
    if not _CONFIGURATION_BYTES <= len(data) < _KEY_BYTES:
        raise ValueError(
            f"a configuration of {len(data)} bytes; {_CONFIGURATION_BYTES} or a few more are allowed"
        )
    return bool(data[0])


def _ask_address(path: Path) -> bytes:
    return command(_CLASS, _PUBLIC_KEY, 0, 0, path)


def _address(data: bytes) -> str:
    if len(data) != _KEY_BYTES:
        raise ValueError(f"a public key of {len(data)} bytes; {_KEY_BYTES} are allowed")
    return base58(data)


SOLANA = Application(
    name="Solana",
    minimum=(1, 9, 0),
    blind_signing_menu="Solana application, Settings, Allow blind signing: Yes",
    configuration=command(_CLASS, _CONFIGURATION, 0, 0),
    blind_signing=_blind_signing,
    ask_address=_ask_address,
    address=_address,
    end_dialog=None,
)
