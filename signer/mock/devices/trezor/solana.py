"""Solana on the double. Signs with a key that the message does not name, too: so does the firmware."""

from collections.abc import Sequence

from trezorlib import messages

from signer.decode.solana.message import parse_message
from signer.domain.base58 import base58
from signer.mock.devices.seed import HARDENED
from signer.mock.devices.trezor.screens import confirm, confirm_solana
from signer.mock.devices.trezor.state import DeviceState, RefusalError, Workflow

_TOKEN_PROGRAM = bytes.fromhex("06ddf6e1d765a193d9cbe146ceeb79ac1cb485ed5f5b37913a8cf5857eff00a9")


def get_public_key(state: DeviceState, message: messages.SolanaGetPublicKey) -> Workflow:
    """32 bytes of the key at a hardened path."""
    _require_hardened(message.address_n)
    seed = yield from state.open_seed()
    if message.show_display:
        yield from confirm(state, messages.ButtonRequestType.PublicKey, "show_pubkey")
    return messages.SolanaPublicKey(
        public_key=seed.ed25519(message.address_n).public_key().public_bytes_raw()
    )


def get_address(state: DeviceState, message: messages.SolanaGetAddress) -> Workflow:
    """The same key in base58."""
    _require_hardened(message.address_n)
    seed = yield from state.open_seed()
    address = base58(seed.ed25519(message.address_n).public_key().public_bytes_raw())
    if message.show_display:
        shown = ("Address", address)
        yield from confirm(state, messages.ButtonRequestType.Address, "show_address", shown)
    return messages.SolanaAddress(address=address)


def sign_tx(state: DeviceState, message: messages.SolanaSignTx) -> Workflow:
    """A legacy or v0 message that parses to its last byte."""
    _require_hardened(message.address_n)
    seed = yield from state.open_seed()
    try:
        keys = parse_message(message.serialized_tx).static_keys
    except ValueError:
        raise RefusalError(messages.FailureType.DataError, "Invalid transaction") from None
    yield from confirm_solana(state, unknown_token=_TOKEN_PROGRAM in keys and message.additional_info is None)
    return messages.SolanaTxSignature(signature=seed.ed25519(message.address_n).sign(message.serialized_tx))


def _require_hardened(path: Sequence[int]) -> None:
    if any(step < HARDENED for step in path):
        raise RefusalError(messages.FailureType.DataError, "Non-hardened paths unsupported on Ed25519")
