"""Sessions over THP: the host names one by a number and opens it with its passphrase. Opens none unasked."""

from trezorlib import messages

from signer.mock.devices.trezor.state import DeviceState, RefusalError, Workflow


def create_session(state: DeviceState, message: messages.ThpCreateNewSession) -> Workflow:
    """Open the session in which the message came. Number 0 is for what needs no seed."""
    key = state.active
    if key is None or not key[-1]:
        raise RefusalError(messages.FailureType.InvalidSession, "Invalid session")
    if not state.initialized:
        raise RefusalError(messages.FailureType.NotInitialized, "Device not initialized")
    if state.passphrase is None and (message.on_device or message.passphrase):
        raise RefusalError(messages.FailureType.DataError, "Passphrase is disabled")
    state.sessions.pop(key, None)
    return _open(state, key, message)


def _open(state: DeviceState, key: bytes, message: messages.ThpCreateNewSession) -> Workflow:
    yield from state.unlock()
    passphrase = message.passphrase or ""
    if message.on_device:
        passphrase = yield from state.typed_passphrase()
    state.remember(key, passphrase)
    return messages.Success()
