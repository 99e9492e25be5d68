"""Screens of a signing request, as many and named as the firmware shows them. None is skipped."""

import contextlib
from collections.abc import Sequence

from trezorlib import messages

from signer.mock.devices.trezor.person import Press
from signer.mock.devices.trezor.state import NOTHING, DeviceState, RefusalError, Shown, Step

_TOKEN_CALL_BYTES = 68
"""Calldata of an ERC-20 approval or transfer."""

_PAGE_LETTERS = 4 * 18
"""Of a text on Model One."""


def confirm(state: DeviceState, code: messages.ButtonRequestType, name: str, shown: Shown = NOTHING) -> Step:
    """One screen. Raises RefusalError when the person says no."""
    core = state.flavour.core
    state.display = shown
    press = yield messages.ButtonRequest(code=code, name=name if core else None, pages=1 if core else None)
    if press is not Press.APPROVE:
        raise RefusalError(messages.FailureType.ActionCancelled, "Cancelled")


def confirm_ethereum(state: DeviceState, data_length: int, fields: Sequence[Shown]) -> Step:
    """Core: three with calldata, two without. Model One: four, and three to six more with calldata.

    `fields`: calldata, recipient, amount.
    """
    data, *transaction = fields
    kind = messages.ButtonRequestType.SignTx
    if not state.flavour.core:
        more = min(6, 3 + max(0, data_length - _TOKEN_CALL_BYTES) // 64) if data_length else 0
        for _ in range(4 + more):
            yield from confirm(state, kind, "")
        return
    if data_length:
        yield from confirm(state, kind, "confirm_data", data)
    for shown in transaction:
        yield from confirm(state, kind, "confirm_ethereum_tx", shown)


def confirm_message(state: DeviceState, address: str, message: bytes) -> Step:
    """Core: address, then text, and a no to the text leads back to the address. Model One: the text only.

    What is no printable ASCII is shown in hex.
    """
    kind = messages.ButtonRequestType.Other
    text = message.decode("ascii") if message.isascii() else message.hex()
    if not state.flavour.core:
        for at in range(0, len(text), _PAGE_LETTERS):
            yield from confirm(state, kind, "", ("Message", text[at : at + _PAGE_LETTERS]))
        return
    while True:
        yield from confirm(state, kind, "sign_message", ("Address", address))
        with contextlib.suppress(RefusalError):
            yield from confirm(state, kind, "sign_message", ("Message", text))
            return


def confirm_solana(state: DeviceState, *, unknown_token: bool) -> Step:
    """Recipient, a warning where a token has no definition, and the fee."""
    kind = messages.ButtonRequestType
    yield from confirm(state, kind.ConfirmOutput, "confirm_recipient")
    if unknown_token:
        yield from confirm(state, kind.Warning, "unknown_token_warning")
    yield from confirm(state, kind.SignTx, "confirm_solana_tx")
