"""What a device that answers by no status word may be in: one error each, with what the person should do."""

from dataclasses import dataclass

from signer.adapters.ledger_device.application import DASHBOARD, Application, Version
from signer.domain.errors import BrokenError, PreconditionError, RejectedError, UnavailableError
from signer.domain.reasons import DenyReason, FailReason


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """Whom we asked, for the words of a message."""

    device: str
    application: Application


def wrong_application(asked: Asked, running: str) -> PreconditionError:
    """Another application is open, or none."""
    where = "the dashboard is shown" if running == DASHBOARD else f"{running} is open"
    text = f"{asked.device}: {where}: open the application {asked.application.name} on it, then ask again"
    return PreconditionError(FailReason.DEVICE_WRONG_APP, text)


def blind_signing_off(asked: Asked) -> PreconditionError:
    """The setting is off and the transaction cannot be shown in words."""
    text = (
        f"{asked.device}: blind signing is off and this cannot be shown in words: switch it on in "
        f"{asked.application.blind_signing_menu}, then ask again"
    )
    return PreconditionError(FailReason.DEVICE_BLIND_SIGNING_OFF, text)


def not_there(asked: Asked, why: str) -> UnavailableError:
    """No connection can be made. Nothing was shown."""
    text = f"{asked.device}: is not there ({why}): plug it in, unlock it, open {asked.application.name}"
    return UnavailableError(FailReason.DEVICE_GONE, text)


def lost_before_review(asked: Asked) -> UnavailableError:
    """The connection was lost while the request was sent."""
    text = f"{asked.device}: was lost before it showed anything: plug it in, then ask again"
    return UnavailableError(FailReason.DEVICE_GONE, text)


def lost_in_review(asked: Asked) -> PreconditionError:
    """The connection was lost while a person had the request before them."""
    text = (
        f"{asked.device}: was lost while it showed the request. No signature came; nothing is asked again "
        "by itself: look at the device, reject what it shows, then make a new request"
    )
    return PreconditionError(FailReason.DEVICE_OUTCOME_UNKNOWN, text)


def silent(asked: Asked) -> UnavailableError:
    """A command that shows nothing had no answer."""
    text = (
        f"{asked.device}: does not answer: end what its screen shows, stop other programs that use it, "
        "or plug it in again"
    )
    return UnavailableError(FailReason.DEVICE_BUSY, text)


def not_confirmed(asked: Asked, within_ms: int) -> RejectedError:
    """Nobody pressed in time."""
    text = f"{asked.device}: nobody confirmed within {within_ms // 1000} s"
    return RejectedError(DenyReason.NOT_CONFIRMED_IN_TIME, text)


def too_old(asked: Asked, version: Version) -> PreconditionError:
    """An application whose behaviour is not known."""
    have, need = (".".join(map(str, each)) for each in (version, asked.application.minimum))
    name = asked.application.name
    text = f"{asked.device}: {name} {have} is too old: update it to {need} or newer in Ledger Live"
    return PreconditionError(FailReason.DEVICE_FIRMWARE_TOO_OLD, text)


def signed_early(asked: Asked) -> PreconditionError:
    """An old application took a piece of the transaction for the whole."""
    text = (
        f"{asked.device}: {asked.application.name} signed before it had the whole transaction; that was "
        "destroyed. Update the application in Ledger Live"
    )
    return PreconditionError(FailReason.DEVICE_FIRMWARE_TOO_OLD, text)


def another_key(asked: Asked, held: str, pinned: str) -> BrokenError:
    """Another seed, passphrase or path than when the account was pinned."""
    text = (
        f"{asked.device}: holds the key of {held}, not that of {pinned}: connect the device that was pinned, "
        "or correct path and address in the settings"
    )
    return BrokenError(FailReason.BROKEN, text)


def garbled(asked: Asked, why: str) -> BrokenError:
    """Answers that are none to what was asked, twice."""
    return BrokenError(FailReason.BROKEN, f"{asked.device}: no answer to what we asked: {why}")


def wrong_length(asked: Asked, got: int, expected: int) -> BrokenError:
    """9000, but no signature."""
    text = f"{asked.device}: answered {got} bytes; a signature has {expected}. They were destroyed"
    return BrokenError(FailReason.SIGNATURE_INVALID, text)


def foreign_signature(asked: Asked, why: str) -> BrokenError:
    """A signature by another key or over something else: an old one, or another request's."""
    text = f"{asked.device}: returned a signature that is not ours: {why}. It was destroyed"
    return BrokenError(FailReason.SIGNATURE_INVALID, text)
