"""What a host must go through before the device serves it, as workflows. Trusts nobody whom no person saw.

Screens are named as in firmware 2.10.0. Only pairing by a code is offered; every other method is refused.
"""

from collections.abc import Generator, Mapping
from typing import cast

from trezorlib import messages
from trezorlib.protobuf import MessageType

from signer.mock.devices.trezor.screens import confirm
from signer.mock.devices.trezor.state import Answer, DeviceState, RefusalError, Workflow
from signer.mock.devices.trezor.thp.channel import Channel, Phase
from signer.mock.devices.trezor.thp.code_entry import CodeEntry
from signer.mock.devices.trezor.thp.identity import Identity

METHODS = (messages.ThpPairingMethod.CodeEntry,)

_AFTER_PROOF = (messages.ThpCredentialRequest, messages.ThpEndRequest)

ANSWERS: Mapping[type[MessageType], tuple[type[MessageType], ...]] = {
    messages.ThpPairingRequestApproved: (messages.ThpSelectMethod,),
    messages.ThpCodeEntryCommitment: (messages.ThpCodeEntryChallenge,),
    messages.ThpCodeEntryCpaceTrezor: (messages.ThpCodeEntryCpaceHostTag,),
    messages.ThpCodeEntrySecret: _AFTER_PROOF,
    messages.ThpCredentialResponse: _AFTER_PROOF,
}
"""What the host may say to what the device says while they pair."""

_FailureType = messages.FailureType


def pair(
    state: DeviceState, identity: Identity, channel: Channel, request: messages.ThpPairingRequest
) -> Workflow:
    """A stranger: a person allows it, and types the code of this display on its side."""
    if not request.host_name or not request.app_name:
        raise RefusalError(_FailureType.DataError, "Missing host_name or app_name.")
    yield from confirm(state, messages.ButtonRequestType.Other, "thp_pairing_request")
    channel.noted = messages.ThpCredentialMetadata(host_name=request.host_name, app_name=request.app_name)
    selected = cast(messages.ThpSelectMethod, (yield messages.ThpPairingRequestApproved()))
    if selected.selected_pairing_method not in METHODS:
        raise RefusalError(_FailureType.DataError, "Selected pairing method is not supported")
    secret = yield from _prove(state, channel)
    channel.phase = Phase.CREDENTIAL
    asked = cast(MessageType, (yield messages.ThpCodeEntrySecret(secret=secret)))
    return (yield from _end(state, identity, channel, asked))


def connect(state: DeviceState, identity: Identity, channel: Channel, asked: MessageType) -> Workflow:
    """A host with a credential. The person is asked, unless it was here just now or is trusted for ever."""
    noted = channel.noted
    if not channel.recent and not (noted is not None and noted.autoconnect):
        yield from confirm(state, messages.ButtonRequestType.Other, "thp_connection_request")
    return (yield from _end(state, identity, channel, asked))


def renew(
    state: DeviceState, identity: Identity, channel: Channel, request: messages.ThpCredentialRequest
) -> Workflow:
    """A credential for a host that is served already, against the one that it has."""
    channel.noted = identity.recognise(channel.host_key, request.credential)
    return (yield from _credential(state, identity, channel, request))


def _prove(state: DeviceState, channel: Channel) -> Generator[MessageType, Answer, bytes]:
    entry = CodeEntry(channel.handshake.digest)
    challenge = yield messages.ThpCodeEntryCommitment(commitment=entry.commitment)
    ours = entry.challenged(cast(messages.ThpCodeEntryChallenge, challenge).challenge)
    state.show_code(entry.code)
    try:
        proof = yield messages.ThpCodeEntryCpaceTrezor(cpace_trezor_public_key=ours)
    finally:
        state.show_code(None)
    if not isinstance(proof, messages.ThpCodeEntryCpaceHostTag):
        raise RefusalError(_FailureType.ActionCancelled, "Cancelled")
    try:
        knows = entry.proves(proof.cpace_host_public_key, proof.tag)
    except ValueError:
        raise _spoilt(channel, "Invalid CPACE host public key") from None
    if not knows:
        raise _spoilt(channel, "Unexpected Code Entry Tag")
    return entry.secret


def _end(state: DeviceState, identity: Identity, channel: Channel, asked: MessageType) -> Workflow:
    while isinstance(asked, messages.ThpCredentialRequest):
        credential = yield from _credential(state, identity, channel, asked)
        asked = cast(MessageType, (yield credential))
    channel.phase = Phase.TRANSPORT
    return messages.ThpEndResponse()


def _credential(
    state: DeviceState, identity: Identity, channel: Channel, request: messages.ThpCredentialRequest
) -> Workflow:
    noted = channel.noted
    if noted is None or (request.autoconnect and not channel.recognised(identity, request.credential)):
        raise RefusalError(_FailureType.DataError, "Cannot ask for autoconnect credential after pairing")
    if request.autoconnect:
        yield from confirm(state, messages.ButtonRequestType.Other, "thp_autoconnect_credential_request")
    metadata = messages.ThpCredentialMetadata(
        host_name=noted.host_name, app_name=noted.app_name, autoconnect=request.autoconnect
    )
    return messages.ThpCredentialResponse(
        trezor_static_public_key=identity.public_key,
        credential=identity.issue(request.host_static_public_key, metadata),
    )


def _spoilt(channel: Channel, why: str) -> RefusalError:
    """One guess for each channel: a code of six digits bears no more."""
    channel.phase = Phase.SPOILT
    return RefusalError(_FailureType.DataError, why)
