"""Pairing with a Safe 7: a person confirms on it and types the code that it shows. Never shows a secret.

Other models trust whoever holds their cable, and need none of this. What comes of it is a credential: this
computer's own key and the device's word for it. Source: the Trezor-Host Protocol, pairing by code entry.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from trezorlib import exceptions, messages
from trezorlib.client import AppManifest
from trezorlib.thp.client import TrezorClientThp
from trezorlib.thp.pairing import CodeEntry
from trezorlib.transport import Transport

from signer.adapters.device.lock import DeviceLock
from signer.adapters.trezor_device import library
from signer.adapters.trezor_device.bounded_transport import BoundedTransport
from signer.adapters.trezor_device.credentials import (
    HostCredential,
    read_credentials,
    require_storable,
    store_credential,
)
from signer.adapters.trezor_device.device import TrezorDevice
from signer.adapters.trezor_device.errors import translate
from signer.adapters.trezor_device.places import finder
from signer.adapters.trezor_device.request import Request, TimeOverError
from signer.domain.errors import BrokenError, ConfigurationError, PreconditionError, RejectedError
from signer.domain.reasons import DenyReason, FailReason

_CODE_DIGITS = 6
_TO_DO = {
    "thp_pairing_request": "confirm on the device that it shall be paired",
    "thp_autoconnect_credential_request": (
        "allow this computer, on the device, to connect without being asked, or refuse: then it asks once "
        "after each of its restarts"
    ),
    "pin_device": "enter the PIN on the device",
}

NO_FILE = "this Trezor's [[trezors]] table names no file for its credential: set credentials, then pair"
NEEDS_NONE = "this Trezor needs no pairing: it speaks the older protocol and trusts whoever holds the cable"
NO_CODE_ENTRY = "this Trezor offers no pairing by a code: update it in Trezor Suite (Settings, Firmware)"
WRONG_CODE = (
    f"that is not the code that the Trezor showed ({_CODE_DIGITS} digits): nothing is paired. Pair again; it "
    "shows a new code"
)
REJECTED = "the person ended the pairing on the Trezor"
NOT_IN_TIME = "nobody confirmed the pairing on the Trezor in time; pair again"
IMPOSTOR = (
    "the Trezor knew the code but not what it had promised before: somebody may stand between it and this "
    "computer. Nothing is paired; use another cable and computer"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class PairedDevice:
    """A device that trusts this computer. `public_key`: 32 bytes that name it, for the eyes of all.

    `autoconnect`: it will not ask again; otherwise it asks its person once after each of its restarts.
    `others` is how many further devices have their credential in the same file.
    """

    model: str
    public_key: bytes
    credentials_file: Path
    autoconnect: bool
    others: int


def pair(
    device: TrezorDevice,
    *,
    ask_code: Callable[[], str],
    host_name: str,
    app_name: str,
    autoconnect: bool = True,
    tell: Callable[[str], None] | None = None,
    find: Callable[[], Transport] | None = None,
) -> PairedDevice:
    """Pair, and store the credential in `device.credentials_file` (mode 0600), beside those of others.

    Blocking. `ask_code` is called when the device shows its code (spaces in it do not matter); `tell` hears
    what the person has to do. A credential of this very device is replaced, that of another one never.
    `autoconnect` asks the device never to ask again, which its person may refuse.
    Raises ConfigurationError (no file, or one that cannot be used), PreconditionError (wrong code: call
    again; not a Safe 7), RejectedError, UnavailableError (gone, or in use by another process), BrokenError.
    """
    file = device.credentials_file
    if file is None:
        raise ConfigurationError(NO_FILE)
    require_storable(file)
    lock = DeviceLock(device.lock_file)
    lock.take()
    try:
        dialog = _Dialog(device, find or finder(device.where), tell or _nobody)
        app = AppManifest(app_name=app_name, host_name=host_name, button_callback=dialog.on_button)
        for credential in dialog.run(app, ask_code, autoconnect=autoconnect):
            store_credential(file, credential)
    finally:
        lock.release()
    return PairedDevice(
        model=dialog.model,
        public_key=credential.trezor_pubkey,
        credentials_file=file,
        autoconnect=credential.autoconnect,
        others=len(read_credentials(file)) - 1,
    )


class _Dialog:
    """One attempt, on a channel of its own: a device that was told a wrong code begins anew."""

    def __init__(
        self, device: TrezorDevice, find: Callable[[], Transport], tell: Callable[[str], None]
    ) -> None:
        self._device = device
        self._find = find
        self._request = self._new_request()
        self._tell = tell
        self._code_sent = False
        self.model = ""

    def run(
        self, app: AppManifest, ask_code: Callable[[], str], *, autoconnect: bool
    ) -> Iterator[HostCredential]:
        """Yield the credential, and then, if it comes to that, the one which replaces it."""
        client: TrezorClientThp | None = None
        transport: BoundedTransport | None = None
        try:
            transport = BoundedTransport(self._find(), self._slice_s)
            transport.open()
            client = self._connect(app, transport)
            credential = self._pair(client, ask_code)
            yield credential
            if autoconnect:
                yield from self._trust(client, credential)
        except KeyboardInterrupt:  # the person at the terminal leaves: so does the code on the display
            _leave(client)
            raise
        except Exception as error:  # supervision: the library raises what a bad answer makes of its parser
            _leave(client)
            raise self._translate(error) from error
        finally:
            if transport is not None:
                transport.abandon()

    def on_button(self, button: messages.ButtonRequest) -> None:
        """The device shows something. Called by the library."""
        self._request.on_button(button)
        self._tell(_TO_DO.get(button.name or "", "look at the device"))

    def _connect(self, app: AppManifest, transport: BoundedTransport) -> TrezorClientThp:
        client = library.get_client(app, transport)
        if not isinstance(client, TrezorClientThp):
            raise PreconditionError(FailReason.DEVICE_REFUSES, NEEDS_NONE)
        self.model = client.model.name
        if not client.is_connected():
            self._request.ask_pin()
            self._tell("enter the PIN on the device")
            client.connect()
        if CodeEntry not in client.pairing.methods:
            raise PreconditionError(FailReason.DEVICE_FIRMWARE_TOO_OLD, NO_CODE_ENTRY)
        return client

    def _pair(self, client: TrezorClientThp, ask_code: Callable[[], str]) -> HostCredential:
        self._request = self._new_request()
        method = CodeEntry(client.pairing)
        code = "".join(ask_code().split())
        self._request = self._new_request()
        self._code_sent = True
        if len(code) != _CODE_DIGITS or not code.isdecimal() or not code.isascii():
            raise PreconditionError(FailReason.DEVICE_NOT_PAIRED, WRONG_CODE)
        method.send_code(code)
        issued = client.pairing.request_credential()
        client.pairing.finish()
        return HostCredential(
            trezor_pubkey=issued.trezor_pubkey, host_privkey=issued.host_privkey, credential=issued.credential
        )

    def _trust(self, client: TrezorClientThp, credential: HostCredential) -> Iterator[HostCredential]:
        """Ask never to be asked about again. The pairing stands, whatever comes of it."""
        self._request = self._new_request()
        request = messages.ThpCredentialRequest(
            host_static_public_key=client.channel.get_host_static_pubkey(),
            autoconnect=True,
            credential=credential.credential,
        )
        try:
            issued = client.get_session(None).call(request, expect=messages.ThpCredentialResponse)
        except Exception:  # noqa: BLE001 - supervision: a no, a device that is gone, a firmware without it
            _leave(client)
        else:
            yield replace(credential, credential=issued.credential, autoconnect=True)

    def _slice_s(self) -> float:
        return self._request.slice_s()

    def _new_request(self) -> Request:
        """Each step has its own time: a person's, once something is shown."""
        return Request(None, answer_ms=self._device.answer_ms, approval_ms=self._device.approval_ms)

    def _translate(self, error: Exception) -> Exception:
        match error:
            case TimeOverError() if self._request.shown and not self._request.at_entry:
                return RejectedError(DenyReason.NOT_CONFIRMED_IN_TIME, NOT_IN_TIME)
            case exceptions.Cancelled():
                return RejectedError(DenyReason.REJECTED_ON_DEVICE, REJECTED)
            case exceptions.TrezorFailure() if self._code_sent:
                return PreconditionError(FailReason.DEVICE_NOT_PAIRED, WRONG_CODE)
            # 0.20.2 meant a ProtocolError, and stumbles over its own state on the way.
            case exceptions.ProtocolError() | ValueError() if self._code_sent:
                return BrokenError(FailReason.BROKEN, IMPOSTOR)
            case _:
                return translate(error, self._request)


def _leave(client: TrezorClientThp | None) -> None:
    """Take the dialog off the display, if the device still listens. Whether it does changes nothing here."""
    try:
        if client is not None:
            client.pairing.session.cancel()
    except Exception:  # noqa: BLE001, S110 - supervision: the first error is the one that is told
        pass


def _nobody(_: str) -> None:
    """Nobody wants to hear it."""
