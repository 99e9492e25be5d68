"""Everything but addresses and signatures: features, sessions, lock, ping. Shows the PIN screen only."""

from trezorlib import messages

from signer.mock.devices.seed import HARDENED
from signer.mock.devices.trezor.state import DeviceState, Workflow

_FINGERPRINT_PATH = [HARDENED]


def features(state: DeviceState, *, session_id: bytes | None = None) -> messages.Features:
    """What the device says of itself, readable also while it is locked."""
    flavour = state.flavour
    capability = messages.Capability
    core = [capability.Solana, capability.PassphraseEntry] if flavour.core else []
    major, minor, patch = flavour.version
    return messages.Features(
        vendor="trezor.io",
        major_version=major,
        minor_version=minor,
        patch_version=patch,
        model=flavour.name,
        internal_model=flavour.internal_name,
        device_id="D0B1E" + "0" * 19,
        label="airlock double",
        initialized=state.initialized,
        unlocked=state.unlocked,
        pin_protection=state.pin is not None,
        passphrase_protection=state.passphrase is not None,
        session_id=session_id,
        fw_vendor="EMULATOR",
        safety_checks=messages.SafetyCheckLevel.Strict,
        capabilities=[capability.Bitcoin, capability.Crypto, capability.Ethereum, *core],
    )


def get_features(state: DeviceState, _: messages.GetFeatures) -> messages.Features:
    """Without the session id."""
    return features(state)


def initialize(state: DeviceState, message: messages.Initialize) -> messages.Features:
    """Resume the named session; an unknown or evicted one gets a new id."""
    return features(state, session_id=state.activate(message.session_id))


def cancel(_: DeviceState, __: messages.Cancel) -> messages.Failure:
    """The same answer whether or not anything was there to cancel."""
    return messages.Failure(code=messages.FailureType.ActionCancelled, message="Cancelled")


def ping(_: DeviceState, message: messages.Ping) -> messages.Success:
    """Echo."""
    return messages.Success(message=message.message)


def end_session(state: DeviceState, _: messages.EndSession) -> messages.Success:
    """Forget the active session."""
    if state.active is not None:
        state.sessions.pop(state.active, None)
    state.active = None
    return messages.Success()


def lock_device(state: DeviceState, _: messages.LockDevice) -> messages.Success:
    """Lock, where there is a PIN."""
    state.lock()
    return messages.Success()


def apply_flags(state: DeviceState, _: messages.ApplyFlags) -> Workflow:
    """How the library unlocks: the flags change nothing."""
    yield from state.unlock()
    return messages.Success()


def get_public_key(state: DeviceState, message: messages.GetPublicKey) -> Workflow:
    """Only for m/0', where the library reads the fingerprint of the root."""
    seed = yield from state.open_seed()
    if list(message.address_n) != _FINGERPRINT_PATH:
        return messages.Failure(code=messages.FailureType.DataError, message="Forbidden key path")
    public = seed.secp256k1(_FINGERPRINT_PATH).public_key.format(compressed=True)
    node = messages.HDNodeType(
        depth=1,
        fingerprint=int.from_bytes(seed.root_fingerprint(), "big"),
        child_num=HARDENED,
        chain_code=bytes(32),
        public_key=public,
    )
    return messages.PublicKey(node=node, xpub="xpub of a double")
