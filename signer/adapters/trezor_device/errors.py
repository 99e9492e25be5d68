"""What the library raises, as errors that say what the person should do. Refuses to guess an outcome."""

import usb1
from noise.exceptions import NoiseInvalidMessage
from trezorlib import exceptions, messages
from trezorlib.thp.exceptions import ThpError, ThpErrorCode
from trezorlib.transport import DeviceIsBusy, TransportException

from signer.adapters.trezor_device.request import Request, TimeOverError
from signer.domain.errors import (
    BrokenError,
    PreconditionError,
    RejectedError,
    SignerError,
    UnavailableError,
)
from signer.domain.reasons import DenyReason, FailReason

_SUITE = "close Trezor Suite and every other wallet program on this host, then ask again"
_LOCKED_CODES = frozenset(
    {messages.FailureType.PinInvalid, messages.FailureType.PinExpected, messages.FailureType.PinCancelled}
)
_CANNOT_OPEN = "Cannot open device"
"""What the library says, with its advice on udev, when libusb gives it no handle."""

_BUSY_CODES = frozenset({messages.FailureType.Busy, messages.FailureType.InProgress})
_STALE_CHANNEL = frozenset({ThpErrorCode.UNALLOCATED_CHANNEL, ThpErrorCode.DECRYPTION_FAILED})

REJECTED = "the person rejected the request on the Trezor"
NOT_IN_TIME = "nobody confirmed on the Trezor in time; the request was taken off its display"
NOT_CONNECTED = "the person did not let this computer connect to the Trezor"
NOT_CONNECTED_IN_TIME = (
    "nobody let this computer connect to the Trezor in time: it asks once after its restart"
)
LOCKED_ON_DEVICE = "the Trezor is locked: enter the PIN on the device, then ask again"
ASKS_TO_CONNECT = (
    "the Trezor was restarted and asks its person whether this computer may connect: it does so at the next "
    "signature. Pair it again and allow it to connect by itself, and it will not ask any more"
)
LOCKED_ON_HOST = (
    "the Trezor Model One is locked and asks for its PIN at the computer: unlock it in Trezor Suite, close "
    "Suite, then ask again; the signer takes no PIN"
)
WRONG_PIN = "the Trezor refused a PIN: unlock it by hand; wrong PINs wipe it, so nothing is tried again"
NOT_PAIRED = "the Trezor is not paired with this host: run `airlock-signer devices pair` before it"
TOO_OLD = "the firmware of the Trezor is too old: update it in Trezor Suite (Settings, Device, Firmware)"
NOT_IN_FIRMWARE = (
    "the firmware of the Trezor does not know this request: Model One has no Solana; update any other model "
    "in Trezor Suite (Settings, Device, Firmware)"
)
OTHER_WALLET = (
    "the passphrase setting of the Trezor is not the one that the signer expects: compare Trezor Suite "
    "(Settings, Device, Passphrase) with passphrase_on_device"
)
NOT_SET_UP = "the Trezor holds no seed: set it up or recover it in Trezor Suite"
SILENT = "the Trezor does not answer: look at its display, plug it in again, then ask again"
UNKNOWN_OUTCOME = (
    "the Trezor was lost while a person had the request before them; whether they confirmed is not known, no "
    "signature came. Look at the device, then ask anew: nothing is shown again by itself"
)
DISTURBED = "the Trezor's dialog was ended by another program: " + _SUITE
BUSY = "another program holds the Trezor: " + _SUITE
FORBIDDEN = (
    "this host does not let the signer open the Trezor: install the udev rules (docs/devices.md) and plug it "
    "in again"
)
GARBAGE = "the Trezor answered with what is no answer to the request; nothing of it is used"


def retryable(error: Exception, request: Request) -> bool:
    """Whether one more attempt on a new connection is safe: the person has seen nothing.

    A transport that breaks after the signing message left is not: the device may show it. A session that the
    device no longer knows is: that is an answer, and it comes instead of a screen.
    """
    if request.shown or isinstance(error, SignerError):
        return False
    if isinstance(error, TimeOverError):
        # A Model One is deaf while it shows what another program left there; our Cancel has ended that.
        return not request.asked
    if isinstance(error, exceptions.InvalidSessionError):
        return error.from_message is None or not _asks_passphrase(error)
    if isinstance(error, ThpError):
        return error.code in _STALE_CHANNEL
    return not request.asked and translate(error, request).__class__ in {UnavailableError, BrokenError}


def clean(error: Exception, request: Request) -> bool:
    """Whether the session is as good as before: the device itself said no."""
    if isinstance(error, exceptions.Cancelled):
        return request.asked and request.shown
    return isinstance(error, exceptions.TrezorFailure) and error.code not in _LOCKED_CODES


def ends_dialog(error: Exception, request: Request) -> bool:
    """Whether something may still be on the display that only a Cancel takes away."""
    gone = isinstance(error, TransportException | OSError | usb1.USBError | ThpError | NoiseInvalidMessage)
    return not gone and not clean(error, request)


def translate(error: Exception, request: Request) -> SignerError:
    """The error of ours. A TimeOverError counts as acknowledged by the device; `lost` is the other case."""
    if isinstance(error, SignerError):
        return error
    if isinstance(error, TimeOverError):
        return _time_over(request)
    if isinstance(error, exceptions.Cancelled):
        return _cancelled(request)
    return _of_device(error, request) or _of_transport(error, request)


def lost(request: Request) -> SignerError:
    """The device went away, or did not say that it took the request off its display."""
    if request.asked:
        return PreconditionError(FailReason.DEVICE_OUTCOME_UNKNOWN, UNKNOWN_OUTCOME)
    return UnavailableError(FailReason.DEVICE_GONE, SILENT)


def _time_over(request: Request) -> SignerError:
    if request.at_entry:
        return PreconditionError(FailReason.DEVICE_LOCKED, LOCKED_ON_DEVICE)
    if request.at_connection:
        return RejectedError(DenyReason.NOT_CONFIRMED_IN_TIME, NOT_CONNECTED_IN_TIME)
    if request.asked:
        return RejectedError(DenyReason.NOT_CONFIRMED_IN_TIME, NOT_IN_TIME)
    return UnavailableError(FailReason.DEVICE_GONE, SILENT)


def _cancelled(request: Request) -> SignerError:
    if request.wants_host_pin:
        return PreconditionError(FailReason.DEVICE_LOCKED, LOCKED_ON_HOST)
    if request.at_entry:
        return PreconditionError(FailReason.DEVICE_LOCKED, LOCKED_ON_DEVICE)
    if request.at_connection:
        return RejectedError(DenyReason.REJECTED_ON_DEVICE, NOT_CONNECTED)
    if request.asked and request.shown:
        return RejectedError(DenyReason.REJECTED_ON_DEVICE, REJECTED)
    return UnavailableError(FailReason.DEVICE_BUSY, DISTURBED)


def _of_device(error: Exception, request: Request) -> SignerError | None:
    """What the device itself says, whichever way the library puts it."""
    if isinstance(error, exceptions.TrezorFailure):
        return _of_failure(error)
    if isinstance(error, ThpError):
        return _of_thp(error, request)
    if isinstance(error, exceptions.InvalidSessionError) and not _asks_passphrase(error):
        return None
    for kind, reason, text in _SAID:
        if isinstance(error, kind):
            return PreconditionError(reason, text)
    return None


_SAID: tuple[tuple[type[Exception], FailReason, str], ...] = (
    (exceptions.PinException, FailReason.DEVICE_LOCKED, WRONG_PIN),
    (exceptions.DeviceLockedError, FailReason.DEVICE_LOCKED, LOCKED_ON_DEVICE),
    (exceptions.NotPairedError, FailReason.DEVICE_NOT_PAIRED, NOT_PAIRED),
    (exceptions.OutdatedFirmwareError, FailReason.DEVICE_FIRMWARE_TOO_OLD, TOO_OLD),
    (exceptions.PassphraseError, FailReason.DEVICE_REFUSES, OTHER_WALLET),
    (exceptions.MissingCapability, FailReason.DEVICE_REFUSES, OTHER_WALLET),
    (exceptions.InvalidSessionError, FailReason.DEVICE_REFUSES, OTHER_WALLET),
)


def _of_thp(error: ThpError, request: Request) -> SignerError | None:
    if error.code == ThpErrorCode.DEVICE_LOCKED:
        return PreconditionError(FailReason.DEVICE_LOCKED, LOCKED_ON_DEVICE)
    if error.code == ThpErrorCode.TRANSPORT_BUSY and not (request.asked and request.shown):
        return UnavailableError(FailReason.DEVICE_BUSY, BUSY)
    return None


def _of_failure(failure: exceptions.TrezorFailure) -> SignerError:
    if failure.code in _LOCKED_CODES:
        return PreconditionError(FailReason.DEVICE_LOCKED, WRONG_PIN)
    if failure.code in _BUSY_CODES:
        return UnavailableError(FailReason.DEVICE_BUSY, BUSY)
    if failure.code == messages.FailureType.NotInitialized:
        return PreconditionError(FailReason.DEVICE_REFUSES, NOT_SET_UP)
    if failure.code == messages.FailureType.UnexpectedMessage:
        return PreconditionError(FailReason.DEVICE_FIRMWARE_TOO_OLD, NOT_IN_FIRMWARE)
    said = (failure.message or "no reason")[:200]
    return PreconditionError(FailReason.DEVICE_REFUSES, f"the Trezor refuses the request: {said!r}")


def _of_transport(error: Exception, request: Request) -> SignerError:
    match error:
        case DeviceIsBusy() | usb1.USBErrorBusy():
            return UnavailableError(FailReason.DEVICE_BUSY, BUSY)
        case usb1.USBErrorAccess() | PermissionError():
            return UnavailableError(FailReason.DEVICE_GONE, FORBIDDEN)
        case OSError() if _CANNOT_OPEN in str(error):
            return UnavailableError(FailReason.DEVICE_GONE, FORBIDDEN)
        case TransportException() | OSError() | usb1.USBError() | ThpError() | NoiseInvalidMessage():
            # The last is a channel on which the library has lost count: something came that nobody asked for.
            return lost(request) if request.asked else _gone(error)
        case exceptions.InvalidSessionError():
            return lost(request) if request.shown else _gone(error)
        case _:
            # Garbage: the library's parser raises whatever its bytes make of it.
            return BrokenError(FailReason.SIGNATURE_INVALID if request.asked else FailReason.BROKEN, GARBAGE)


def _gone(error: Exception) -> UnavailableError:
    said = f"{type(error).__name__}: {error}"[:200]
    text = f"the Trezor is not there ({said}): plug it in and unlock it, then ask again"
    return UnavailableError(FailReason.DEVICE_GONE, text)


def _asks_passphrase(error: exceptions.InvalidSessionError) -> bool:
    return isinstance(error.from_message, messages.PassphraseRequest)
