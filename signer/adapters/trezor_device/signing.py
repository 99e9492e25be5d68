"""What is sent to be signed, and what makes an answer a signature: it verifies over our digest.

The device's own word for what it signed is never believed.
"""

from collections.abc import Callable

from signer.adapters.device.owner import GivenUpError
from signer.adapters.trezor_device import library
from signer.adapters.trezor_device.device import TrezorKey
from signer.adapters.trezor_device.request import Request
from signer.decode.evm.envelope import signing_hash
from signer.decode.evm.recovery import recover_address
from signer.decode.solana.message import parse_message
from signer.decode.solana.signature import require_signature
from signer.domain.accounts import address_of
from signer.domain.base58 import base58
from signer.domain.errors import BrokenError, InvalidRequestError
from signer.domain.reasons import FailReason
from signer.domain.solana import SignedSolanaMessage, SolanaKey
from signer.domain.transactions import EvmSignature, UnsignedEvmTransaction

_SCREENS, _SCREENS_WITH_DATA = 2, 3
"""What core firmware shows for an Ethereum transaction; Model One shows 4 to 10, and nobody knows before."""

_SIGNATURE_BYTES = 64


def ask_evm(
    wallet: library.Session, request: Request, key: TrezorKey, transaction: UnsignedEvmTransaction
) -> EvmSignature:
    """Ask for an EIP-1559 signature. Raises BrokenError for one that is not of this key over this digest."""
    payload = transaction.payload
    request.ask(screens=_SCREENS_WITH_DATA if payload.data else _SCREENS)
    v, r, s = library.sign_eip1559(
        wallet,
        key.steps,
        nonce=transaction.nonce,
        gas_limit=payload.gas_limit,
        to=payload.to,
        value=payload.value_wei,
        data=payload.data,
        chain_id=transaction.chain_id,
        max_gas_fee=payload.max_fee_per_gas_wei,
        max_priority_fee=payload.max_priority_fee_per_gas_wei,
    )
    signature = EvmSignature(r=int.from_bytes(r, "big"), s=int.from_bytes(s, "big"), y_parity=v)
    try:
        signer = recover_address(signing_hash(transaction), signature)
    except ValueError as error:
        raise _foreign(str(error)) from None
    if signer != address_of(key.account):
        raise _foreign(f"it is of {signer} over our digest")
    request.confirm()
    return signature


def ask_solana(wallet: library.Session, request: Request, key: TrezorKey, message: bytes) -> bytes:
    """Ask for an ed25519 signature of a whole message, one that needs this key's signature."""
    public_key = _required_signer(key, message)
    request.ask(screens=None)
    signature = library.sign_solana(wallet, key.steps, message, None)
    try:
        require_signature(public_key, message, signature)
    except ValueError:
        raise _foreign("it does not verify over our message") from None
    if len(signature) != _SIGNATURE_BYTES:
        raise _foreign(f"it has {len(signature)} bytes")
    request.confirm()
    return signature


def ask_made_solana(
    wallet: library.Session, request: Request, key: TrezorKey, make: Callable[[], bytes]
) -> SignedSolanaMessage | Exception:
    """`ask_solana` of the message that `make` makes now.

    An error of `make` is returned, not raised: it is none of the device, which was asked nothing and stays
    connected.
    """
    try:
        message = make()
        require_signable(key, message)
    except GivenUpError:
        raise
    except Exception as error:  # noqa: BLE001 - supervision: handed to the caller in its own thread
        return error
    request.begin()  # the making was no part of the person's time
    return SignedSolanaMessage(message=message, signature=ask_solana(wallet, request, key, message))


def require_signable(key: TrezorKey, message: bytes) -> None:
    """Raise InvalidRequestError unless the message can be read and needs the signature of this key."""
    _required_signer(key, message)


def _required_signer(key: TrezorKey, message: bytes) -> SolanaKey:
    # The firmware signs for a key that the message does not name; such a signature is good for nothing.
    try:
        signers = parse_message(message).signers
    except ValueError as error:
        raise InvalidRequestError("message", str(error)) from None
    for signer in signers:
        if base58(signer) == address_of(key.account):
            return signer
    named = ", ".join(base58(signer) for signer in signers)
    raise InvalidRequestError("message", f"needs no signature of {key.account}: {named} are its signers")


def _foreign(what: str) -> BrokenError:
    text = f"the Trezor answered with a signature that is not of this request ({what}); it is destroyed"
    return BrokenError(FailReason.SIGNATURE_INVALID, text)
